"""The audio reader's network (torch): frames in, for every key how likely it is struck, sounds and is let go.

Every key is read by the same weights from its own harmonics, as in Bittner et al., "A Lightweight Instrument-Agnostic
Model for Polyphonic Note Transcription" (ICASSP 2022) and Wei et al., "HPPNet: Modeling the Harmonic Structure and
Pitch Invariance in Piano Transcription" (ISMIR 2022); a gated recurrence for each key remembers what it does, as in
Kwon, Jeong and Nam, "Polyphonic Piano Transcription Using Autoregressive Multi-State Note Model" (ISMIR 2020). All of
it looks backwards only; the look-ahead is that what it says at a step is about a moment `DELAY_SAMPLES` before.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_runtime.unified.audio_front_end import BINS, BINS_PER_SEMITONE, KEYS
from model_runtime.unified.audio_steps import FRAMES_A_STEP, HEADS

# Bins from a key's middle bin to its partials (1/2, 1 to 8, 10).
HARMONICS = (-36, 0, 36, 57, 72, 84, 93, 101, 108, 120)
# Keys whose sound is easily taken for a key's own: those whose partials it shares, and its neighbours.
RELATED_KEYS = (-28, -24, -19, -12, -7, -1, 0, 1, 7, 12, 19, 24, 28)


@dataclass(frozen=True)
class ReaderConfig:
    """Sizes.

    Attributes:
        history: Frames before a step's two that the first layer sees.
        first: Channels of a bin.
        width: Channels of a key.
        narrow: Channels that keys tell one another.
        hidden: Size of a key's memory.
        context: Size of the memory for all keys together.
    """

    history: int = 6
    first: int = 8
    width: int = 48
    narrow: int = 16
    hidden: int = 48
    context: int = 48

    def as_dict(self) -> dict[str, int]:
        """The sizes by name."""
        return asdict(self)


class State(NamedTuple):
    """What the network remembers between two blocks.

    Attributes:
        frames: The last frames, shape (B, history, BINS).
        keys: Each key's memory, shape (1, B × KEYS, hidden).
        context: Shape (1, B, context).
    """

    frames: Tensor
    keys: Tensor
    context: Tensor


class KeyMixing(nn.Module):
    """Keys hear what related keys are doing, at the same moment."""

    def __init__(self, incoming: int, narrow: int, width: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(incoming, narrow)
        self.mixed = nn.Linear(narrow * len(RELATED_KEYS) + incoming, width)

    def forward(self, x: Tensor) -> Tensor:
        told = F.relu(self.narrow(x))  # (N, KEYS, narrow)
        below, above = -min(RELATED_KEYS), max(RELATED_KEYS)
        padded = F.pad(told, (0, 0, below, above))
        related = [padded[:, below + k : below + k + KEYS] for k in RELATED_KEYS]
        return F.relu(self.mixed(torch.cat([*related, x], dim=2)))


class AudioNetwork(nn.Module):
    """Frames → logits of the heads, step by step."""

    def __init__(self, config: ReaderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ReaderConfig()
        taps = config.history + FRAMES_A_STEP
        self.first = nn.Conv2d(1, config.first, (taps, 3), stride=(FRAMES_A_STEP, 1), padding=(0, 1))
        self.second = nn.Linear(config.first * 3 * len(HARMONICS), config.width)
        self.register = nn.Parameter(torch.zeros(KEYS, config.width))
        self.mix = KeyMixing(config.width, config.narrow, config.width)
        self.listen = nn.Linear(2 * config.width, config.context)
        self.context = nn.GRU(config.context, config.context, batch_first=True)
        self.tell = nn.Linear(config.context, config.width)
        self.memory = nn.GRU(config.width, config.hidden, batch_first=True)
        self.mix_again = KeyMixing(config.hidden + config.width, config.narrow, config.width)
        self.heads = nn.Linear(config.width, len(HEADS))
        self.late = nn.Linear(config.width, len(HEADS))
        self.pedal = nn.Linear(config.context, 1)
        with torch.no_grad():
            for heads in (self.heads, self.late):
                heads.bias.copy_(torch.tensor([-4.0, -3.0, -4.0, 0.0]))

    def start(self, batch: int) -> State:
        """The state before the first frame."""
        config = self.config
        return State(
            torch.zeros(batch, config.history, BINS),
            torch.zeros(1, batch * KEYS, config.hidden),
            torch.zeros(1, batch, config.context),
        )

    def lowered(self) -> AudioNetwork:
        """A copy in bfloat16 to compute gradients with; not its recurrences, which would lose what changes slowly."""
        copied = AudioNetwork(self.config).bfloat16()
        copied.memory.float()
        copied.context.float()
        return copied

    def forward(self, frames: Tensor, state: State) -> tuple[Tensor, Tensor, Tensor, State]:
        """Read a block.

        Args:
            frames: Shape (B, T × FRAMES_A_STEP, BINS).
            state: What is remembered.

        Returns:
            Logits of the heads (B, T, KEYS, len(HEADS)), of the late heads, which speak of `LATE_STEPS` before, in the
            same shape, of the pedal (B, T), and the state after the block.
        """
        config = self.config
        joined = torch.cat([state.frames, frames], dim=1)
        kept = joined[:, -config.history :]
        batch, steps = frames.shape[0], frames.shape[1] // FRAMES_A_STEP
        seen = F.relu(self.first(joined[:, None]))  # (B, first, T, BINS)
        x = self._harmonics(seen.permute(0, 2, 3, 1).reshape(batch * steps, BINS, config.first))
        x = F.relu(self.second(x) + self.register)  # (B·T, KEYS, width)
        x = self.mix(x)
        about = F.relu(self.listen(torch.cat([x.mean(dim=1), x.amax(dim=1)], dim=1)))
        context, context_state = self.context(about.view(batch, steps, -1).float(), state.context)
        x = x + self.tell(context.to(x.dtype)).view(batch * steps, 1, config.width)
        by_key = x.view(batch, steps, KEYS, config.width).transpose(1, 2).reshape(batch * KEYS, steps, config.width)
        remembered, key_state = self.memory(by_key.float(), state.keys)
        remembered = remembered.to(x.dtype).view(batch, KEYS, steps, config.hidden).transpose(1, 2)
        both = torch.cat([remembered.reshape(batch * steps, KEYS, config.hidden), x], dim=2)
        known = self.mix_again(both)
        heads, late = (read(known).view(batch, steps, KEYS, len(HEADS)) for read in (self.heads, self.late))
        return heads, late, self.pedal(context.to(x.dtype)).squeeze(2), State(kept, key_state, context_state)

    def _harmonics(self, bins: Tensor) -> Tensor:
        """Three bins around each of a key's partials, shape (N, KEYS, 3 × first × partials)."""
        count, _, channels = bins.shape
        below, above = -min(HARMONICS), max(HARMONICS) + BINS_PER_SEMITONE * KEYS - BINS
        padded = F.pad(bins, (0, 0, below, above))
        span = BINS_PER_SEMITONE * KEYS
        parts = [
            padded[:, below + h : below + h + span].reshape(count, KEYS, BINS_PER_SEMITONE * channels)
            for h in HARMONICS
        ]
        return torch.cat(parts, dim=2)
