"""The rules, one a file. Importing this package registers them all."""

from .batch_too_large import BatchTooLarge
from .batch_too_small import BatchTooSmall
from .bottleneck import Bottleneck
from .collapsed_units import CollapsedUnits
from .constant_initialisation import ConstantInitialisation
from .constant_inputs import ConstantInputs
from .constant_targets import ConstantTargets
from .data_error import DataError
from .data_leakage import DataLeakage
from .dead_units import DeadUnits
from .dying_units import DyingUnits
from .exploding_gradients import ExplodingGradients
from .exploding_through_time import ExplodingThroughTime
from .gradient_cut_off import GradientCutOff
from .imbalanced_classes import ImbalancedClasses
from .initialisation_too_large import InitialisationTooLarge
from .initialisation_too_small import InitialisationTooSmall
from .learning_rate_too_large import LearningRateTooLarge
from .learning_rate_too_small import LearningRateTooSmall
from .loss_not_falling import LossNotFalling
from .lost_resolution import LostResolution
from .missing_nonlinearity import MissingNonlinearity
from .no_parameters import NoParameters
from .non_finite import NonFinite
from .non_finite_data import NonFiniteData
from .output_activation import OutputActivation
from .output_range import OutputRange
from .over_fitting import OverFitting
from .poor_fit import PoorFit
from .saturated_units import SaturatedUnits
from .softmax_one_unit import SoftmaxOneUnit
from .too_few_samples import TooFewSamples
from .too_little_capacity import TooLittleCapacity
from .too_much_capacity import TooMuchCapacity
from .too_much_dropout import TooMuchDropout
from .too_much_weight_decay import TooMuchWeightDecay
from .under_training import UnderTraining
from .uninformative_labels import UninformativeLabels
from .unscaled_inputs import UnscaledInputs
from .unscaled_targets import UnscaledTargets
from .unshuffled_data import UnshuffledData
from .vanishing_gradients import VanishingGradients
from .vanishing_through_time import VanishingThroughTime
from .wrong_loss import WrongLoss

__all__ = [
    "BatchTooLarge",
    "BatchTooSmall",
    "Bottleneck",
    "CollapsedUnits",
    "ConstantInitialisation",
    "ConstantInputs",
    "ConstantTargets",
    "DataError",
    "DataLeakage",
    "DeadUnits",
    "DyingUnits",
    "ExplodingGradients",
    "ExplodingThroughTime",
    "GradientCutOff",
    "ImbalancedClasses",
    "InitialisationTooLarge",
    "InitialisationTooSmall",
    "LearningRateTooLarge",
    "LearningRateTooSmall",
    "LossNotFalling",
    "LostResolution",
    "MissingNonlinearity",
    "NoParameters",
    "NonFinite",
    "NonFiniteData",
    "OutputActivation",
    "OutputRange",
    "OverFitting",
    "PoorFit",
    "SaturatedUnits",
    "SoftmaxOneUnit",
    "TooFewSamples",
    "TooLittleCapacity",
    "TooMuchCapacity",
    "TooMuchDropout",
    "TooMuchWeightDecay",
    "UnderTraining",
    "UninformativeLabels",
    "UnscaledInputs",
    "UnscaledTargets",
    "UnshuffledData",
    "VanishingGradients",
    "VanishingThroughTime",
    "WrongLoss",
]
