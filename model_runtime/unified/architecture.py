"""The trunk: compound tokens of any modality in, tokens of the wanted modality out.

An encoder–decoder Transformer (Vaswani et al., "Attention Is All You Need", 2017; pre-norm). As in "Unified Cross-modal
Translation of Score Images, Symbolic Music, and Performance Audio" (Jung et al., arXiv 2505.12863) the decoder's start
token names the target and its embedding is added to the encoder's inputs. Different from there, an input token is a
whole glyph or note: its embedding is the sum of its fields' and its place on the page or in time is a number, not an
index. One head of the decoder's attention to the source is taught which glyph or note each written symbol describes (as
Tachibana et al. 2018 guide attention): what is read there is then at hand, and it tells where every note came from.

In the comments: B batch, S source tokens, T target tokens, F fields, d width, H heads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_runtime.tokens.vocabulary import IDS, PAD_ID, SYMBOLIC_SIZE

MODALITIES = ("image", "notation", "performance", "audio")


@dataclass(frozen=True)
class TrunkConfig:
    """Sizes of the trunk.

    Attributes:
        vocabulary: Ids that can be read and written.
        width: d.
        heads: Attention heads.
        encoder_layers, decoder_layers: Blocks.
        hidden: Width of the feed-forward layers.
        dropout: While training.
        places: Wavelengths by which a place is described, from `shortest_place` to `longest_place` in units of places
            (staff spaces, or tenths of a second).
        pointing_layer: Which block of the decoder holds the taught head.
        longest_target: Rows of the table of target positions.
        note_outputs: Numbers that the encoder tells of each token by itself (`note_outputs.OUTPUTS`), 0 for none.
    """

    vocabulary: int = SYMBOLIC_SIZE
    width: int = 256
    heads: int = 4
    encoder_layers: int = 4
    decoder_layers: int = 4
    hidden: int = 768
    dropout: float = 0.0
    places: int = 32
    shortest_place: float = 0.5
    longest_place: float = 1000.0
    pointing_layer: int = 1
    longest_target: int = 512
    note_outputs: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return asdict(self)


class FeedForward(nn.Module):
    """d → hidden → d."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.inner = nn.Linear(config.width, config.hidden)
        self.outer = nn.Linear(config.hidden, config.width)

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(F.gelu(self.inner(x)))


class Attention(nn.Module):
    """Multi-head attention of queries from `x` over keys and values that `remember` made."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = nn.Linear(config.width, config.width)
        self.key_value = nn.Linear(config.width, 2 * config.width)
        self.out = nn.Linear(config.width, config.width)

    def _split(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)  # (B, H, L, d/H)

    def remember(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of `memory` (B, S, d): two of (B, H, S, d/H)."""
        key, value = self.key_value(memory).chunk(2, dim=-1)
        return self._split(key), self._split(value)

    def first_head(self, x: Tensor, key: Tensor) -> Tensor:
        """Where the first head looks: x (B, T, d), key (B, H, S, d/H) → scores (B, T, S)."""
        query = self._split(self.query(x))[:, 0]  # (B, T, d/H)
        return query @ key[:, 0].transpose(1, 2) * query.shape[-1] ** -0.5

    def forward(
        self, x: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """x (B, T, d), mask (B, 1, 1, S) True where there is something to see → (B, T, d)."""
        query = self._split(self.query(x))
        if query.dtype is torch.bfloat16 and query.device.type == "cpu":  # PyTorch's own is four times slower there
            heads = _attended(query, key, value, mask, causal)
        else:
            heads = F.scaled_dot_product_attention(query, key, value, mask, is_causal=causal)
        return self.out(heads.transpose(1, 2).reshape(x.shape))


def _attended(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """Scaled dot-product attention by plain products, its softmax in 32 bits."""
    scores = (query @ key.transpose(-1, -2)).float() * query.shape[-1] ** -0.5  # (B, H, T, S)
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, -1e9)
    return scores.softmax(-1).to(value.dtype) @ value


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each behind a norm and added."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.attention_norm, self.hidden_norm = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.attention, self.hidden = Attention(config), FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        seen = self.attention_norm(x)
        x = x + self.dropout(self.attention(seen, *self.attention.remember(seen), mask))
        return x + self.dropout(self.hidden(self.hidden_norm(x)))


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the source, feed-forward."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.self_norm, self.cross_norm = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.hidden_norm = nn.LayerNorm(config.width)
        self.self_attention, self.cross_attention = Attention(config), Attention(config)
        self.hidden = FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, memory: tuple[Tensor, Tensor], mask: Tensor, past: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        """x (B, T, d); `past` keys and values of earlier steps → (B, T, d), the keys and values so far, and with what
        the source was looked at (B, T, d)."""
        seen = self.self_norm(x)
        key, value = self.self_attention.remember(seen)
        if past is not None:
            key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        x = x + self.dropout(self.self_attention(seen, key, value, causal=past is None and x.shape[1] > 1))
        looking = self.cross_norm(x)
        x = x + self.dropout(self.cross_attention(looking, *memory, mask))
        return x + self.dropout(self.hidden(self.hidden_norm(x))), (key, value), looking


class NoteHeads(nn.Module):
    """What the encoder tells of each of its tokens: memory (B, S, d) → (B, S, outputs)."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.inner = nn.Linear(config.width, config.width)
        self.outer = nn.Linear(config.width, config.note_outputs)

    def forward(self, memory: Tensor) -> Tensor:
        return self.outer(F.gelu(self.inner(memory)))


class Trunk(nn.Module):
    """The encoder–decoder."""

    def __init__(self, config: TrunkConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TrunkConfig()
        width = config.width
        self.scale = 0.5 * width**0.5  # the embedding is small, for it is the output layer too
        self.embedding = nn.Embedding(config.vocabulary, width, padding_idx=PAD_ID)
        self.place = nn.Linear(2 * config.places, width)
        self.position = nn.Embedding(config.longest_target, width)
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.memory_norm, self.out_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.out_bias = nn.Parameter(torch.zeros(config.vocabulary))
        self.notes = NoteHeads(config) if config.note_outputs else None
        wavelengths = torch.logspace(math.log10(config.shortest_place), math.log10(config.longest_place), config.places)
        self.frequencies: Tensor
        self.register_buffer("frequencies", 2 * math.pi / wavelengths, persistent=False)  # (places,)
        self.apply(self._initialise)
        self._quieten_blocks()

    def _initialise(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=self.config.width**-0.5)
            if module.padding_idx is not None:
                with torch.no_grad():
                    module.weight[module.padding_idx].zero_()

    @torch.no_grad()
    def _quieten_blocks(self) -> None:
        """Let each block add little at first, so that what a token is stays audible through all of them."""
        for blocks in (self.encoder, self.decoder):
            for name, weight in blocks.named_parameters():
                if name.endswith(("out.weight", "outer.weight")):
                    weight.mul_((3 * len(blocks)) ** -0.5)

    def encode(self, ids: Tensor, places: Tensor, source: int, target: int) -> tuple[Tensor, Tensor]:
        """Source tokens → memory.

        Args:
            ids: (B, S, F), `PAD_ID` for a field that does not apply and for padding.
            places: (B, S), where each token stands: staff spaces or tenths of a second.
            source: Id of the source's symbol, `<from:…>`.
            target: Id of the target's symbol, `<to:…>`.

        Returns:
            Memory (B, S, d) and its mask (B, 1, 1, S), True where there is a token.
        """
        batch, length, fields = ids.shape
        mask = (ids[:, :, 0] != PAD_ID)[:, None, None, :]  # (B, 1, 1, S)
        summed = F.embedding_bag(ids.reshape(-1, fields), self.embedding.weight, mode="sum", padding_idx=PAD_ID)
        angles = places[:, :, None] * self.frequencies  # (B, S, places)
        x = self.scale * summed.view(batch, length, -1) + self.place(torch.cat([angles.sin(), angles.cos()], dim=-1))
        x = x + self.scale * (self.embedding.weight[source] + self.embedding.weight[target])  # (B, S, d)
        for layer in self.encoder:
            x = layer(x, mask)
        return self.memory_norm(x), mask

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Take these weights; heads of notes that are not among them keep their own.

        Raises:
            RuntimeError: anything else is missing, or of another size.
        """
        own = {name: value for name, value in self.state_dict().items() if name.startswith("notes.")}
        self.load_state_dict({**own, **weights})

    def decoder_layers(self) -> list[DecoderLayer]:
        """The decoder's blocks, first to last."""
        return [layer for layer in self.decoder if isinstance(layer, DecoderLayer)]

    def decode(self, target: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Target ids so far → hidden states and where the taught head looks.

        Args:
            target: (B, T), the first one `<to:…>`.
            memory, mask: As `encode` returns them.

        Returns:
            Hidden states (B, T, d), and scores (B, T, S) of the source tokens that the next symbol may describe.
        """
        x = self.scale * (self.embedding(target) + self.position.weight[: target.shape[1]])
        scores = x.new_zeros(0)
        for i, layer in enumerate(self.decoder_layers()):
            key, value = layer.cross_attention.remember(memory)
            x, _, looking = layer(x, (key, value), mask)
            if i == self.config.pointing_layer:
                scores = layer.cross_attention.first_head(looking, key).masked_fill(~mask[:, 0], -1e9)
        return self.out_norm(x), scores

    def logits(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """Hidden states (…, d) → scores of each of `ids` (n,) as the next one: (…, n); the embedding is shared."""
        return F.linear(hidden, self.embedding.weight[ids], self.out_bias[ids])


class Stepper:
    """Decodes a batch one token at a time, keeping keys and values.

    Args:
        trunk: In evaluation mode.
        memory, mask: As `Trunk.encode` returns them.
        ids: What may be written, (n,).
    """

    def __init__(self, trunk: Trunk, memory: Tensor, mask: Tensor, ids: Tensor) -> None:
        self._trunk = trunk
        self._ids = ids
        self._mask = mask
        self._memory = [layer.cross_attention.remember(memory) for layer in trunk.decoder_layers()]
        self._past: list[tuple[Tensor, Tensor] | None] = [None] * len(trunk.decoder)
        self._step = 0

    def step(self, token: Tensor) -> Tensor:
        """The last ids (B,) → scores of the next (B, n)."""
        trunk = self._trunk
        x = trunk.scale * (trunk.embedding(token) + trunk.position.weight[self._step])[:, None]  # (B, 1, d)
        for i, layer in enumerate(trunk.decoder_layers()):
            x, self._past[i], _ = layer(x, self._memory[i], self._mask, self._past[i])
        self._step += 1
        return trunk.logits(trunk.out_norm(x[:, 0]), self._ids)

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows of the batch only."""
        self._mask = self._mask[rows]
        self._memory = [(key[rows], value[rows]) for key, value in self._memory]
        self._past = [None if past is None else (past[0][rows], past[1][rows]) for past in self._past]


def symbol_id(prefix: str, modality: str) -> int:
    """Id of `<from:…>` or `<to:…>`."""
    return IDS[f"<{prefix}:{modality}>"]
