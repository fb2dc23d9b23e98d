"""The networks: blocks that look at notes anywhere around, at notes next to one another, and at each note by itself.

Attention turns queries and keys by where notes lie (rotary embeddings, Su et al., arXiv 2104.09864), here not by their
number but by their time in seconds, or by their place in quarter notes and their pitch: "what sounded a beat ago" and
"the next note of this voice" are then directions to look in. Convolutions as in the Conformer (Gulati et al., arXiv
2005.08100).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_runtime.unified.performance_features import (
    BAR_PLACES,
    BEAT_FEATURES,
    PERIODS,
    PHASES,
    VALUE_FEATURES,
    VALUES,
)

_KERNEL = 7


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of one network.

    Attributes:
        features: That it is told of each chord or note.
        outputs: Numbers that it says of each, those of all its heads.
        width, heads: Of the blocks.
        looking: For each block whether it looks at notes anywhere around.
        reaches: For each block how many notes apart those are that it sees next to each.
        spans: (shortest, longest) wave length of each axis on which notes lie.
    """

    features: int
    outputs: int
    width: int = 96
    heads: int = 3
    looking: tuple[bool, ...] = (False, True, False, True, False)
    reaches: tuple[int, ...] = (1, 2, 4, 2, 1)
    spans: tuple[tuple[float, float], ...] = ((0.1, 80.0),)

    def as_dict(self) -> dict[str, object]:
        """For a checkpoint."""
        return asdict(self)


BEATS = NetworkConfig(BEAT_FEATURES, PHASES + BAR_PLACES + PERIODS)
NOTE_VALUES = NetworkConfig(
    VALUE_FEATURES, len(VALUES) + 1, 80, 2, (True, False, True), (1, 2, 1), ((0.4, 80.0), (2.0, 160.0))
)


class _Attention(nn.Module):
    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm = nn.LayerNorm(config.width)
        self.inputs = nn.Linear(config.width, 3 * config.width)
        self.output = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor | None) -> Tensor:
        batch, length, width = x.shape
        q, k, v = self.inputs(self.norm(x)).view(batch, length, 3, self.heads, width // self.heads).unbind(2)
        q, k = _turned(q, cosine, sine).transpose(1, 2), _turned(k, cosine, sine).transpose(1, 2)
        seen = F.scaled_dot_product_attention(q, k, v.transpose(1, 2), attn_mask=mask)
        return x + self.output(seen.transpose(1, 2).reshape(batch, length, width))


def _turned(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


class _Block(nn.Module):
    def __init__(self, config: NetworkConfig, reach: int, *, looking: bool) -> None:
        super().__init__()
        width = config.width
        self.attention = _Attention(config) if looking else None
        self.near_norm = nn.LayerNorm(width)
        self.near_in = nn.Linear(width, 2 * width)
        self.near = nn.Conv1d(width, width, _KERNEL, padding=_KERNEL // 2 * reach, dilation=reach, groups=width)
        self.near_out = nn.Linear(width, width)
        self.own = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor | None, there: Tensor | None) -> Tensor:
        if self.attention is not None:
            x = self.attention(x, cosine, sine, mask)
        near = F.glu(self.near_in(self.near_norm(x)), dim=-1)
        if there is not None:
            near = near * there
        x = x + self.near_out(F.silu(self.near(near.transpose(1, 2)).transpose(1, 2)))
        return x + self.own(x)


class NoteNetwork(nn.Module):
    """Features and places of chords or notes → what is said of each.

    Args:
        config: Sizes.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        half = config.width // config.heads // 2
        turns = torch.zeros(half, len(config.spans))
        for axis, (shortest, longest) in enumerate(config.spans):
            own = torch.arange(axis, half, len(config.spans))
            waves = torch.logspace(math.log2(shortest), math.log2(longest), len(own), base=2.0)
            turns[own, axis] = 2 * math.pi / waves
        self.turns: Tensor
        self.register_buffer("turns", turns, persistent=False)
        self.embed = nn.Linear(config.features, config.width)
        self.blocks = nn.ModuleList(
            _Block(config, reach, looking=looking)
            for looking, reach in zip(config.looking, config.reaches, strict=True)
        )
        self.norm = nn.LayerNorm(config.width)
        self.out = nn.Linear(config.width, config.outputs)

    def forward(self, features: Tensor, cosine: Tensor, sine: Tensor, there: Tensor | None = None) -> Tensor:
        """features (B, T, F), cosine and sine (B, T, 1, H) of `angles` → outputs (B, T, outputs).

        Args:
            there: Which rows are real, (B, T) bool; None is all.
        """
        x = self.embed(features)
        mask = None if there is None else there[:, None, None, :]
        real = None if there is None else there[:, :, None].to(x.dtype)
        for block in self.blocks:
            x = block(x, cosine, sine, mask, real)
        result: Tensor = self.out(self.norm(x))
        return result

    def angles(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine of how far places (B, T, axes) turn, in single precision."""
        turned = (places[:, :, None, :] * self.turns).sum(-1)[:, :, None, :]
        return turned.cos(), turned.sin()
