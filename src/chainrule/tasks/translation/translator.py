"""From one sequence to another: an encoder, and a decoder that looks back at it by attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...constraints import Interval, Maybe, check_all
from ...data import Sequences
from ...data.text import END, PADDING, START, UNKNOWN, Tokenizer, as_texts
from ...errors import DataError, MissingDependencyError, ParameterError
from ...layers import Concat, Dense, Dropout, Embedding, Input, Masking, ScaledDotProductAttention, Tanh
from ...model import Network
from ...network import Bidirectional
from ...training import Session
from ...training.interrupt import sigterm_at_end
from ..sequence_model import CELLS, SequenceModel, copy_weights

__all__ = ["Translator"]

Array = NDArray[Any]
#: What the arguments of a search for the likeliest text may be.
_SEARCH = {"beams": Interval(int, 1), "most": Maybe(Interval(int, 1)), "length_penalty": Interval(float, 0)}


class Translator(SequenceModel):
    """Sequence to sequence with attention: ``P(y | x) = Πₜ P(yₜ | y₁ ... yₜ₋₁, x)``.

    The encoder reads x in both directions and keeps a vector m for each token. The decoder is a recurrent network over the
    tokens written so far; its state h looks at m by scaled dot-product attention, ``c = softmax(h Mᵀ / √D) M``, and the next
    token comes from ``softmax(W tanh(V [h c]))``. It learns with the true tokens before each one (teacher forcing). Batches
    are made of pairs of about one length, and padding changes nothing.

    Parameters
        tokenizer : of both languages, each with a vocabulary of its own: "words", "byte_pairs", ... or a pair of Tokenizers
        cell : "gru" or "lstm" ; units : int, even = 256, of the decoder; the encoder has half of them in each direction
        embedding : int = 128 ; dropout : in [0, 1) = 0.3 ; epochs : int = 10 ; batch_size : int = 64 pairs
        optimizer = "adam" ; learning_rate : number or schedule ; clip_norm : float = 1.0, None for none
        label_smoothing : in [0, 1) = 0.1 ; validation_fraction : in [0, 1) = 0, share of the pairs, drawn at random, that is
            measured after each epoch only ; random_state : int or None ; verbose : 0, 1 or 2
        engine, threads : see chainrule.engine.get_engine
    Attributes  (after fit)
        source_tokenizer_, target_tokenizer_ ; network_ : the Network that was trained ; history_
    References  Luong, Pham and Manning, Effective approaches to attention-based neural machine translation, EMNLP 2015

    Example
        >>> words = ["one", "two", "three"]
        >>> pairs = [(" ".join(p), " ".join(p[::-1])) for p in [(a, b) for a in words for b in words]]
        >>> model = Translator(units=32, embedding=16, dropout=0.0, label_smoothing=0.0, epochs=60, random_state=0)
        >>> model = model.fit([a for a, _ in pairs], [b for _, b in pairs])
        >>> model.translate(["one two"])
        ['two one']
    """

    file_key = "translator"
    hyperparameters = {"label_smoothing": Interval(float, 0, 1)}

    def __init__(
        self,
        tokenizer: Any = "words",
        *,
        cell: str = "gru",
        dropout: float = 0.3,
        label_smoothing: float = 0.1,
        **common: Any,
    ) -> None:
        super().__init__(tokenizer, cell=cell, dropout=dropout, **common)
        self.label_smoothing = label_smoothing

    def validate(self) -> None:
        super().validate()
        if self.units % 2:
            raise ParameterError(f"Translator: units must be even, half for each direction. Got {self.units}.")

    # ------------------------------------------------------------ fitting

    @sigterm_at_end()
    def fit(self, sources: Any, targets: Any, *, callbacks: Any = ()) -> Self:
        """Learns from pairs: the translation of ``sources[i]`` is ``targets[i]``.

        Raises      as ``as_texts`` ; DataError for lists of different lengths ; ParameterError for a parameter out of its
                    range ; DivergenceError when a number stops being finite
        """
        from ...losses import SoftmaxCrossEntropy

        self.validate()
        x, y = as_texts(sources, name="sources"), as_texts(targets, name="targets")
        if len(x) != len(y):
            raise DataError(f"sources has {len(x)} texts but targets has {len(y)}. Every source needs its translation.")
        kinds = self.tokenizer if isinstance(self.tokenizer, (tuple, list)) else (self.tokenizer, self.tokenizer)
        if len(kinds) != 2:
            raise ParameterError(f"Translator: tokenizer must be one, or a pair of them. Got {self.tokenizer!r}.")
        self.source_tokenizer_ = self._fitted_tokenizer(kinds[0], x)
        self.target_tokenizer_ = self._fitted_tokenizer(kinds[1], y)
        given = [
            self.source_tokenizer_.encode(x, name="sources"),
            self.target_tokenizer_.encode(y, start=True, name="targets"),
        ]
        wanted = self.target_tokenizer_.encode(y, end=True, name="targets")
        (self.network_,) = self._graphs(learning=True)
        loss = SoftmaxCrossEntropy(label_smoothing=float(self.label_smoothing))
        return self._fit_network(given, wanted, callbacks, loss=loss, validation_split=float(self.validation_fraction))

    def _graphs(self, *, learning: bool) -> tuple[Network, ...]:
        """The network that learns; or the encoder and one step of the decoder. Layers of one name have equal weights."""
        layer, states = CELLS[self.cell]
        # Those that do not learn get their weights from the one that does: drawing good ones would be in vain.
        start = {} if learning else {"recurrent_init": "zeros"}
        units, width = int(self.units), int(self.embedding)

        def dropped(x: Any, name: str) -> Any:
            return Dropout(self.dropout).named(name)(x) if self.dropout else x

        def encode(tokens: Any) -> Any:
            rows = len(self.source_tokenizer_)
            x = Embedding(rows, width, padding=PADDING).named("source_embedding")(tokens)
            both = Bidirectional(layer(units // 2, return_sequences=True, **start).named("encoder"))
            return both(dropped(x, "source_dropout"))

        def decode(tokens: Any, memory: Any, before: Sequence[Any], stepping: bool) -> tuple[Any, list[Any]]:
            x = Embedding(len(self.target_tokenizer_), width).named("target_embedding")(tokens)
            recurrent = layer(units, return_sequences=True, return_state=stepping, **start).named("decoder")
            made = recurrent(dropped(x, "target_dropout"), *before)
            h, *after = made if stepping else (made,)
            context = ScaledDotProductAttention().named("attention")(h, memory)
            joined = Tanh().named("joined_tanh")(Dense(units).named("joined")(Concat().named("join")(h, context)))
            return Dense(len(self.target_tokenizer_)).named("logits")(dropped(joined, "joined_dropout")), after

        seed = self.random_state
        source = Input((None,), dtype="int")
        if learning:
            target = Input((None,), dtype="int")
            z = decode(target, encode(source), (), False)[0]
            whole = Network(inputs=[source, target], outputs=z, random_state=seed)
            whole.build()
            return (whole,)
        encoder = Network(inputs=source, outputs=encode(source))
        token, memory, lengths = Input((None,), dtype="int"), Input((None, units)), Input((), dtype="int")
        first = [Input((units,)) for _ in range(states)]
        masked = Masking().named("mask")(memory, lengths)
        z, after = decode(token, masked, first, True)
        step = Network(inputs=[token, memory, lengths, *first], outputs=[z, *after])
        encoder.build()
        step.build()
        return encoder, step

    def _ready(self) -> None:
        self._encoder, self._step = self._graphs(learning=False)
        for network in (self._encoder, self._step):
            copy_weights(self.network_, network)
            Session.of(network).use_engine(self.engine, self.threads, "float32")

    def _tokenizers(self) -> dict[str, Tokenizer]:
        return {"source_tokenizer_": self.source_tokenizer_, "target_tokenizer_": self.target_tokenizer_}

    # ------------------------------------------------------------ translating

    def translate(self, sources: Any, *, beams: int = 1, most: int | None = None, length_penalty: float = 1.0) -> list[str]:
        """The translation of each text.

        Parameters
            beams : int = 1, hypotheses that are kept at each step ; 1 takes the likeliest token each time (greedy search),
                more look for the likeliest text (beam search)
            most : tokens of a translation at most; None for twice those of the source and 10
            length_penalty : a hypothesis of n tokens is judged by log P / n ** length_penalty ; 0 prefers short ones
        Raises      as ``as_texts`` ; NotFittedError ; ParameterError for a value out of its range
        """
        self._require_fitted("translate")
        check_all("translate", _SEARCH, {"beams": beams, "most": most, "length_penalty": length_penalty})
        x = self.source_tokenizer_.encode(sources, name="sources")
        found: list[str] = [""] * len(x)
        # Of about one length, so that little is padded, and not more than fit into some megabytes.
        order, size = np.argsort(x.lengths, kind="stable"), max(1, 256 // beams)
        for at in range(0, len(order), size):
            rows = order[at : at + size]
            limit = 2 * int(x.lengths[rows].max()) + 10 if most is None else int(most)
            for row, tokens in zip(rows, self._search(x[rows], beams, limit, float(length_penalty)), strict=True):
                found[row] = self.target_tokenizer_.decode(tokens)
        return found

    def _search(self, x: Sequences, beams: int, limit: int, penalty: float) -> list[Array]:
        """The best tokens for each source; beam search, of which one beam is the greedy one."""
        n = len(x)
        memory = self._encoder.predict(x.padded(dtype=np.int32))
        each = np.repeat(np.arange(n), beams)
        memory, lengths = memory[each], x.lengths[each].astype(np.int32)
        states = [np.zeros((n * beams, int(self.units)), np.float32) for _ in range(CELLS[self.cell][1])]
        written = np.full((n * beams, 1), START, np.int32)
        # One hypothesis of each source counts at first: all begin alike.
        scores = np.where(np.arange(beams) == 0, 0.0, -np.inf)[None].repeat(n, axis=0)
        done: list[list[tuple[float, Array]]] = [[] for _ in range(n)]
        for step in range(limit):
            z, *states = self._step.predict([written[:, -1:], memory, lengths, *states], batch_size=len(memory))
            z = z[:, -1].astype(np.float64)
            z[:, [PADDING, START]] = -np.inf
            z[:, UNKNOWN] -= 1e3  # never, unless nothing else is left
            top = z.max(axis=1, keepdims=True)
            log_p = (z - top - np.log(np.exp(z - top).sum(axis=1, keepdims=True))).reshape(n, beams, -1)
            total = scores[:, :, None] + log_p
            # Of the best those that end are set aside; of those that do not, the best go on.
            ends = total[:, :, END] / (step + 1) ** penalty
            limits = -np.partition(-total.reshape(n, -1), beams - 1, axis=1)[:, beams - 1]
            for i, b in zip(*np.nonzero(total[:, :, END] >= limits[:, None]), strict=True):
                done[i].append((float(ends[i, b]), written[i * beams + b, 1:].copy()))
            total[:, :, END] = -np.inf
            flat = total.reshape(n, -1)
            chosen = np.argpartition(-flat, beams - 1, axis=1)[:, :beams] if beams > 1 else flat.argmax(axis=1)[:, None]
            scores = np.take_along_axis(flat, chosen, axis=1)
            beam, token = np.divmod(chosen, total.shape[2])
            rows = (np.arange(n)[:, None] * beams + beam).reshape(-1)
            written = np.concatenate([written[rows], token.reshape(-1, 1).astype(np.int32)], axis=1)
            states = [s[rows] for s in states]
            if (beams == 1 and all(done)) or self._settled(done, scores, step + 1, beams, penalty):
                break
        result = []
        for i, ended in enumerate(done):
            if not ended:  # it found no end within the limit
                ended = [(0.0, written[i * beams + int(scores[i].argmax()), 1:])]
            result.append(ended[0][1] if beams == 1 else max(ended, key=lambda found: found[0])[1])
        return result

    @staticmethod
    def _settled(done: list[list[tuple[float, Array]]], scores: Array, length: int, beams: int, penalty: float) -> bool:
        """Whether of each source as many hypotheses ended as there are beams, and none that goes on beats the best."""
        if beams == 1 or any(len(ended) < beams for ended in done):
            return False
        best = np.array([max(score for score, _ in ended) for ended in done])
        return bool((scores.max(axis=1) / length**penalty <= best).all())

    # ------------------------------------------------------------ measuring

    def bleu(self, sources: Any, references: Any, **how: Any) -> float:
        """BLEU of the translations, in 0 ... 100, by sacrebleu with its usual settings.

        Parameters  sources : texts ; references : the true translation of each ; how : as in ``translate``
        Raises      MissingDependencyError without sacrebleu (the extra "text") ; DataError for lists of different lengths
        References  Papineni et al., BLEU, ACL 2002 ; Post, A call for clarity in reporting BLEU scores, WMT 2018
        """
        try:
            import sacrebleu
        except ImportError as error:
            raise MissingDependencyError("sacrebleu", "Translator.bleu", "text") from error
        true = as_texts(references, name="references")
        found = self.translate(sources, **how)
        if len(found) != len(true):
            raise DataError(f"sources has {len(found)} texts but references has {len(true)}.")
        return float(sacrebleu.corpus_bleu(found, [true]).score)

    def attention(self, source: str, target: str) -> Array:
        """How much each token of the translation looked at each token of the source: (T, S), each row sums to 1.

        Parameters  source, target : texts ; the rows are those of the target's tokens and of its end
        """
        self._require_fitted("attention")
        x = self.source_tokenizer_.encode([source], name="source")
        y = self.target_tokenizer_.encode([target], start=True, name="target")
        t = self.network_.trace([x.padded(), y.padded()])
        h, memory = t.layers["attention"].inputs
        scores = h[0] @ memory[0].T / np.sqrt(h.shape[2])
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(p / p.sum(axis=1, keepdims=True))
