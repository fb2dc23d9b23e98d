"""The image reader's network: a band in, heat maps of glyph centres and features out; attributes at any centre.

Fully convolutional, so a band may have any width. A small U: strides 4, 8 and 16 and back to 4, where a row of cells
is a staff position (`unified.bands`). Centres as in "Objects as Points" (Zhou et al., arXiv 1904.07850).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_runtime.unified.glyph_classes import ATTRIBUTES, GROUP_NAMES, STEM_ATTRIBUTES

FINE, MIDDLE, COARSE = 64, 96, 128  # channels at strides 4, 8, 16
HIDDEN = 160
_RARE = -4.0  # bias of the heat maps: most cells hold nothing


def _conv(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = _conv(channels, channels, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


class Backbone(nn.Module):
    """Bands (B, 1, 160, W), W a multiple of 16 → heat logits (B, groups, 40, W/4), features at strides 4 and 8."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(1, 24, 2), _conv(24, FINE, 2))
        self.fine = _Residual(FINE)
        self.to_middle = _conv(FINE, MIDDLE, 2)
        self.middle = _Residual(MIDDLE)
        self.to_coarse = _conv(MIDDLE, COARSE, 2)
        self.coarse = _Residual(COARSE, dilation=2)
        self.from_coarse = nn.Conv2d(COARSE, MIDDLE, 1)
        self.up_middle = _conv(MIDDLE, MIDDLE)
        self.from_middle = nn.Conv2d(MIDDLE, FINE, 1)
        self.up_fine = _conv(FINE, FINE)
        self.last = _conv(FINE, FINE)
        self.heat = nn.Conv2d(FINE, len(GROUP_NAMES), 1)
        nn.init.constant_(self.heat.bias, _RARE)  # type: ignore[arg-type]

    def forward(self, bands: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = self.fine(self.stem(bands))
        middle = self.middle(self.to_middle(fine))
        coarse = self.coarse(self.to_coarse(middle))
        middle = self.up_middle(middle + F.interpolate(self.from_coarse(coarse), scale_factor=2.0, mode="nearest"))
        fine = self.up_fine(fine + F.interpolate(self.from_middle(middle), scale_factor=2.0, mode="nearest"))
        fine = self.last(fine)
        return self.heat(fine), fine, middle


class Attributes(nn.Module):
    """Features at centres → logits of each attribute, and of those of one stem.

    Args of `forward`: features (N, FINE + MIDDLE), group (N,), stem (N,): 0 none, 1 up, 2 down.
    Returns: shared logits (N, sum of `ATTRIBUTES`), the stem's (N, sum of `STEM_ATTRIBUTES`), x within the cell (N,).
    """

    def __init__(self) -> None:
        super().__init__()
        self.group = nn.Embedding(len(GROUP_NAMES), HIDDEN)
        self.stem = nn.Embedding(3, HIDDEN)
        self.seen = nn.Linear(FINE + MIDDLE, HIDDEN)
        self.shared = nn.Sequential(nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU())
        self.of_stem = nn.Sequential(nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU())
        self.out = nn.Linear(HIDDEN, sum(ATTRIBUTES.values()) + 1)
        self.stem_out = nn.Linear(HIDDEN, sum(STEM_ATTRIBUTES.values()))

    def forward(self, features: Tensor, group: Tensor, stem: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seen = self.seen(features)
        shared = self.out(self.shared(seen + self.group(group)))
        return shared[:, :-1], self.stem_out(self.of_stem(seen + self.stem(stem))), shared[:, -1]


class Reader(nn.Module):
    """Both parts."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.attributes = Attributes()


def gathered(fine: Tensor, middle: Tensor, band: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Features (N, FINE + MIDDLE) at cells of a batch."""
    return torch.cat([fine[band, :, row, column], middle[band, :, row // 2, column // 2]], dim=1)
