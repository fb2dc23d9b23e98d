"""A residual-quantised autoencoder of score images: a stack of codes for each patch of 16 × 16 pixels.

After "Autoregressive Image Generation using Residual Quantization" (Lee et al., CVPR 2022), with a codebook for each
depth as Jung et al. (arXiv 2505.12863) have it, codebooks that follow the mean of what they stand for, and neither
discriminator nor perceptual loss.

In the comments: B batch, H and W pixels, R = H / 16 and C = W / 16 patches, N patches in all, d width of a code.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_runtime.tokens.vocabulary import CODEBOOKS, CODES

PATCH_PX = 16
WIDTH = 64  # d
_CHANNELS = (64, 96, 128)  # of features a quarter, an eighth and a sixteenth as high as the picture
_FIRST_STRIDE = 4  # of pixels that are taken together at once
_DECAY = 0.99  # of a code's mean and count
_DEAD = 0.05  # a code with less than this share of the mean count is put where there are patches


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(_conv(channels, channels), _conv(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


def _doubling(inputs: int, outputs: int) -> nn.Sequential:
    """Twice the height and width: (B, inputs, h, w) → (B, outputs, 2h, 2w)."""
    return nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 1), nn.PixelShuffle(2))


class ResidualQuantiser(nn.Module):
    """Vectors → `CODEBOOKS` codes each, every codebook standing for what those before it left over."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.books: Tensor
        self.counts: Tensor
        self.sums: Tensor
        self.begun: Tensor
        self.register_buffer("books", torch.zeros(CODEBOOKS, CODES, width))
        self.register_buffer("counts", torch.ones(CODEBOOKS, CODES))  # mean patches of a batch that take a code
        self.register_buffer("sums", torch.zeros(CODEBOOKS, CODES, width))
        self.register_buffer("begun", torch.tensor(False))

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """vectors (N, d) → quantised ones through which gradients pass straight (N, d), codes (N, CODEBOOKS), and the
        commitment loss: the mean distance to what the first code, the first two, … stand for."""
        left = vectors.detach()
        total = torch.zeros_like(left)
        codes, commitment = [], vectors.new_zeros(())
        for book in range(CODEBOOKS):
            if self.training and not bool(self.begun):
                self.books[book] = _drawn(left)
                self.sums[book] = self.books[book]
            code = _nearest(left, self.books[book])  # (N,)
            if self.training:
                self._follow(book, left, code)
            own = self.books[book][code]
            total = total + own
            left = left - own
            codes.append(code)
            commitment = commitment + F.mse_loss(vectors, total)
        if self.training:
            self.begun.fill_(True)
        return vectors + (total - vectors).detach(), torch.stack(codes, dim=1), commitment / CODEBOOKS

    @torch.no_grad()
    def _follow(self, book: int, vectors: Tensor, code: Tensor) -> None:
        """Move a codebook towards the mean of the vectors that took each code; codes that nothing takes start anew."""
        counts = torch.bincount(code, minlength=CODES).to(vectors.dtype)
        sums = torch.zeros_like(self.sums[book]).index_add_(0, code, vectors)
        self.counts[book].mul_(_DECAY).add_(counts, alpha=1 - _DECAY)
        self.sums[book].mul_(_DECAY).add_(sums, alpha=1 - _DECAY)
        mean = float(self.counts[book].mean())
        dead = self.counts[book] < _DEAD * mean
        self.counts[book][dead] = mean
        self.sums[book][dead] = mean * _drawn(vectors)[dead]
        self.books[book] = self.sums[book] / self.counts[book][:, None]

    def summed(self, codes: Tensor) -> Tensor:
        """codes (N, CODEBOOKS) → the vectors that they stand for, (N, d)."""
        return torch.stack([self.books[book][codes[:, book]] for book in range(CODEBOOKS)]).sum(0)


def _drawn(vectors: Tensor) -> Tensor:
    """As many of the vectors, drawn at random, as there are codes."""
    return vectors[torch.randint(len(vectors), (CODES,))]


def _nearest(vectors: Tensor, book: Tensor) -> Tensor:
    """Number of the code nearest to each vector, in 32 bits: in fewer, neighbours are taken for one another."""
    with torch.autocast(vectors.device.type, enabled=False):
        return torch.addmm((book**2).sum(1), vectors, book.T, alpha=-2.0).argmin(1)


class AutoEncoder(nn.Module):
    """Pictures as ink: (B, 1, H, W) from 0 (paper) to 1, H and W multiples of `PATCH_PX`."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third = _CHANNELS
        pixels = _FIRST_STRIDE**2
        self.encoder = nn.Sequential(
            *(nn.PixelUnshuffle(_FIRST_STRIDE), _conv(pixels, first), _conv(first, first)),
            *(_conv(first, second, 2), _Residual(second), _conv(second, third, 2), _Residual(third)),
            nn.Conv2d(third, WIDTH, 1),
        )
        self.quantiser = ResidualQuantiser()
        self.decoder = nn.Sequential(
            *(nn.Conv2d(WIDTH, third, 1), _Residual(third), _doubling(third, second), _Residual(second)),
            *(_doubling(second, first), _conv(first, first), nn.Conv2d(first, pixels, 3, padding=1)),
            nn.PixelShuffle(_FIRST_STRIDE),
        )

    def forward(self, ink: Tensor, *, coded: bool = True) -> tuple[Tensor, Tensor]:
        """Ink → ink drawn from its codes, or from what they are to stand for (B, 1, H, W), and the commitment loss."""
        seen = self.encoder(ink).float()  # (B, d, R, C)
        commitment = seen.new_zeros(())
        if coded:
            batch, width, rows, columns = seen.shape
            quantised, _, commitment = self.quantiser(seen.permute(0, 2, 3, 1).reshape(-1, width))
            seen = quantised.view(batch, rows, columns, width).permute(0, 3, 1, 2)
        return self.decoder(seen).float(), commitment

    def codes(self, ink: Tensor) -> Tensor:
        """Ink → codes (B, R, C, CODEBOOKS)."""
        seen = self.encoder(ink).float().permute(0, 2, 3, 1)  # (B, R, C, d)
        codes: Tensor = self.quantiser(seen.reshape(-1, seen.shape[-1]))[1]
        return codes.view(*seen.shape[:3], CODEBOOKS)

    def draw(self, codes: Tensor) -> Tensor:
        """Codes (B, R, C, CODEBOOKS) → ink (B, 1, H, W), from 0 to 1."""
        batch, rows, columns, _ = codes.shape
        quantised = self.quantiser.summed(codes.reshape(-1, CODEBOOKS)).view(batch, rows, columns, WIDTH)
        drawn: Tensor = self.decoder(quantised.permute(0, 3, 1, 2)).float().clamp(0.0, 1.0)
        return drawn
