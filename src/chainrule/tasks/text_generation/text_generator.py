"""A language model: the next token of a text, again and again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...constraints import Interval, check_all
from ...data.series import windows
from ...data.text import END, START, Tokenizer, as_texts
from ...errors import DataError
from ...layers import Dense, Dropout, Embedding, Input
from ...model import Network
from ...training import Session
from ...training.interrupt import sigterm_at_end
from ..sequence_model import CELLS, SequenceModel, copy_weights
from .sampling import SAMPLING, sample

__all__ = ["TextGenerator"]

Array = NDArray[Any]
#: Streams that a text is cut into when its probability is measured, and tokens of each that are read at a time.
_STREAMS, _PIECE = 16, 256


class TextGenerator(SequenceModel):
    """A recurrent language model: ``P(text) = Πₜ P(xₜ | x₁ ... xₜ₋₁)``, each factor a softmax over the vocabulary.

    An embedding of the tokens, recurrent layers, and an affine map to the logits of the next token. It learns from stretches
    of ``steps`` tokens. Generating keeps the states of the recurrent layers from token to token, so each costs one step,
    however long the text has become.

    Parameters
        tokenizer : "characters", "words", "byte_pairs" or a Tokenizer = "characters"
        cell : "lstm" or "gru" ; units : int = 256, of each recurrent layer ; depth : int = 1, recurrent layers
        embedding : int = 64, length of a token's vector ; dropout : in [0, 1) = 0, after it and each recurrent layer
        steps : int = 128, tokens of a stretch: so far back the gradient goes
        epochs : int = 10 ; batch_size : int = 64, stretches a step ; optimizer = "adam" ; learning_rate : number or schedule
        clip_norm : float = 1.0, the norm that the gradient is cut to, None for none
        validation_fraction : in [0, 1) = 0, the last share of the stretches is measured after each epoch only
        random_state : int or None ; verbose : 0, 1 or 2 ; engine, threads : see chainrule.engine.get_engine
    Attributes  (after fit)
        tokenizer_ ; network_ : the Network that was trained ; history_ ; ends_ : whether texts have a start and an end

    Example
        >>> model = TextGenerator(units=16, steps=8, epochs=2, random_state=0).fit("to be or not to be. " * 20)
        >>> len(model.generate(10, prompt="to b", random_state=0))
        14
    """

    file_key = "text generator"
    _facts = ("ends_",)
    hyperparameters = {"depth": Interval(int, 1), "steps": Interval(int, 1)}

    def __init__(
        self,
        tokenizer: Any = "characters",
        *,
        cell: str = "lstm",
        depth: int = 1,
        embedding: int = 64,
        steps: int = 128,
        **common: Any,
    ) -> None:
        super().__init__(tokenizer, cell=cell, embedding=embedding, **common)
        self.depth, self.steps = depth, steps

    # ------------------------------------------------------------ fitting

    @sigterm_at_end()
    def fit(self, texts: Any, *, callbacks: Any = ()) -> Self:
        """Learns from one long text, or from a list of texts that each have a start and an end.

        Raises      as ``as_texts`` ; DataError for a text shorter than a stretch ; ParameterError for a parameter out of its
                    range ; DivergenceError when a number stops being finite
        """
        self.validate()
        whole = isinstance(texts, str)
        self.ends_ = not whole
        given = as_texts([texts] if whole else texts, name="texts")
        self.tokenizer_ = self._fitted_tokenizer(self.tokenizer, given)
        stream = self.tokenizer_.encode(given, start=not whole, end=not whole, name="texts").values
        if len(stream) < self.steps + 1:
            raise DataError(
                f"TextGenerator: the text has {len(stream)} tokens; with steps={self.steps} at least {self.steps + 1} are "
                "needed. Give more text, or fewer steps."
            )
        # Each stretch begins where the one before ended: views of the stream, which are not copied.
        X, y = (windows(stream[i : len(stream) - 1 + i], int(self.steps), stride=int(self.steps)) for i in (0, 1))
        held = int(len(X) * float(self.validation_fraction))
        kept = len(X) - held
        self.network_ = self._graph(generating=False)
        validation = (X[kept:], y[kept:]) if held else None
        return self._fit_network(X[:kept], y[:kept], callbacks, loss="softmax_cross_entropy", validation_data=validation)

    def _graph(self, *, generating: bool) -> Network:
        """The network over stretches of tokens; to generate, it takes and gives the states of its recurrent layers, too."""
        layer, states = CELLS[self.cell]
        token = Input((None,), dtype="int")
        inputs: list[Any] = [token]
        outputs: list[Any] = []
        h = Embedding(len(self.tokenizer_), int(self.embedding)).named("embedding")(token)
        for i in range(int(self.depth)):
            if self.dropout:
                h = Dropout(self.dropout).named(f"dropout{i}")(h)
            # The graph that generates gets its weights from the one that learns: drawing good ones would be in vain.
            start = {"recurrent_init": "zeros"} if generating else {}
            recurrent = layer(int(self.units), return_sequences=True, return_state=generating, **start)
            recurrent = recurrent.named(f"{self.cell}{i}")
            if generating:
                before = [Input((int(self.units),)) for _ in range(states)]
                h, *after = recurrent(h, *before)
                inputs, outputs = [*inputs, *before], [*outputs, *after]
            else:
                h = recurrent(h)
        if self.dropout:
            h = Dropout(self.dropout).named("dropout")(h)
        z = Dense(len(self.tokenizer_)).named("logits")(h)
        network = Network(inputs=inputs, outputs=[z, *outputs], random_state=self.random_state)
        network.build()
        return network

    def _ready(self) -> None:
        self._generating = self._graph(generating=True)
        copy_weights(self.network_, self._generating)
        if hasattr(self, "engine"):
            Session.of(self._generating).use_engine(self.engine, self.threads, "float32")

    def _tokenizers(self) -> dict[str, Tokenizer]:
        return {"tokenizer_": self.tokenizer_}

    # ------------------------------------------------------------ generating

    def generate(
        self,
        length: int = 200,
        *,
        prompt: str = "",
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        random_state: Any = None,
    ) -> str:
        """The prompt and what the model writes after it.

        Parameters
            length : tokens to write, at most ; prompt : the beginning of the text, "" for none
            temperature, top_k, top_p : see ``next_token_probabilities`` ; temperature 0 takes the likeliest token each time
            random_state : int, numpy Generator or None ; equal ints write equal texts
        Raises      NotFittedError ; ParameterError for a value out of its range
        """
        how = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "random_state": random_state}
        self._require_fitted("generate")
        start = [] if not prompt else self._encoded(prompt)
        return self.tokenizer_.decode([*start, *self._tokens(length, start, **how)])

    def stream(self, length: int = 200, *, prompt: str = "", **how: Any) -> Iterator[str]:
        """The same piece by piece, as it is written: first the prompt, then what each token adds to the text."""
        self._require_fitted("stream")
        kept = [] if not prompt else self._encoded(prompt)
        told = self.tokenizer_.decode(kept)
        if told:
            yield told
        for token in self._tokens(length, list(kept), **how):
            kept.append(token)
            text = self.tokenizer_.decode(kept)
            # A token may be a part of a character only, or change the sign before it: told is what cannot change any more.
            if text.startswith(told) and not text.endswith("\N{REPLACEMENT CHARACTER}"):
                if text != told:
                    yield text[len(told) :]
                told = text

    def _encoded(self, prompt: str) -> list[int]:
        found: list[int] = self.tokenizer_.encode([prompt], name="prompt")[0].tolist()
        return found

    def _tokens(
        self,
        length: int,
        start: list[int],
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        random_state: Any = None,
    ) -> Iterator[int]:
        length = Interval(int, 0).check("generate", "length", length)
        check_all("", SAMPLING, {"temperature": temperature, "top_k": top_k, "top_p": top_p})
        rng = np.random.default_rng(random_state)
        logits, states = self._read(np.array([[START, *start] if self.ends_ or not start else start]), self._first(1))
        for _ in range(length):
            z = logits[:, -1].copy()
            z[:, : START + 1] = -np.inf  # padding, unknown and start are no text
            if not self.ends_:
                z[:, END] = -np.inf
            token = int(sample(z, rng, temperature=temperature, top_k=top_k, top_p=top_p)[0])
            if token == END:
                return
            yield token
            logits, states = self._read(np.array([[token]]), states)

    def _first(self, count: int) -> list[Array]:
        return [np.zeros((count, int(self.units)), np.float32) for _ in self._generating.input_ids[1:]]

    def _read(self, tokens: Array, states: list[Array]) -> tuple[Array, list[Array]]:
        """The logits after each token, and the states after the last one."""
        logits, *after = self._generating.predict([tokens.astype(np.int32), *states])
        return logits, after

    # ------------------------------------------------------------ measuring

    def nats(self, text: str) -> dict[str, float]:
        """How well the model predicts a text: −log P, in nats, {"per_token", "per_character"}; less is better.

        The text is read in up to 16 stretches side by side, each with the states kept from its beginning to its end.
        """
        self._require_fitted("nats")
        tokens = self.tokenizer_.encode([text], name="text").values
        if len(tokens) < 2:
            raise DataError("nats: the text needs at least two tokens.")
        count = max(1, min(_STREAMS, len(tokens) // 2000))
        width = (len(tokens) - 1) // count
        inputs, targets = (tokens[i : i + count * width].reshape(count, width) for i in (0, 1))
        states, total = self._first(count), 0.0
        for at in range(0, width, _PIECE):
            x, y = inputs[:, at : at + _PIECE], targets[:, at : at + _PIECE]
            z, states = self._read(x, states)
            z = z.astype(np.float64)
            top = z.max(axis=-1)
            log_sum = top + np.log(np.exp(z - top[..., None]).sum(axis=-1))
            total += float((log_sum - np.take_along_axis(z, y[..., None].astype(np.int64), axis=-1)[..., 0]).sum())
        per_token = total / (count * width)
        return {"per_token": per_token, "per_character": per_token * len(tokens) / len(text)}
