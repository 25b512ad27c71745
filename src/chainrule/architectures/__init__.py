"""Ready networks by name, each a function that returns a ``Network`` and names its paper."""

from .autoencoder import autoencoder
from .center_net import center_net
from .clip_networks import clip_network
from .efficientnet_lite import efficientnet_lite0
from .frame_networks import conv_lstm_forecaster, simvp
from .lenet5 import lenet5
from .minilm import minilm, minilm_tokenizer
from .mobilenet_small import mobilenet_small
from .registry import ARCHITECTURES, get_architecture
from .resnet import resnet, resnet20
from .restoration_networks import dncnn, super_resolution
from .squeezenet import squeezenet
from .unet import unet
from .vgg_small import vgg_small

__all__ = [
    "ARCHITECTURES",
    "autoencoder",
    "center_net",
    "clip_network",
    "conv_lstm_forecaster",
    "dncnn",
    "efficientnet_lite0",
    "get_architecture",
    "lenet5",
    "minilm",
    "minilm_tokenizer",
    "mobilenet_small",
    "resnet",
    "resnet20",
    "simvp",
    "squeezenet",
    "super_resolution",
    "unet",
    "vgg_small",
]
