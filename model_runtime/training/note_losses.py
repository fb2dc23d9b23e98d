"""How far what the trunk tells of notes is from what is wanted, to train with and to measure."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from model_runtime.training.note_windows import NoteExample, grouped_notes, pad_notes
from model_runtime.unified.architecture import Trunk, symbol_id
from model_runtime.unified.note_outputs import OUTPUTS

_BEND = 0.1  # units below which a distance counts by its square


def note_losses(told: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean loss of each output: of being there its cross-entropy, of the others the distance in units.

    Args:
        told, wanted, weights: (B, S, 5), in the order of `note_outputs.OUTPUTS`.

    Returns:
        (5,), 0 where nothing has a weight.
    """
    losses = _each(told, wanted) * weights
    return losses.flatten(0, 1).sum(0) / weights.flatten(0, 1).sum(0).clamp(min=1e-6)


def _each(told: Tensor, wanted: Tensor) -> Tensor:
    there = F.binary_cross_entropy_with_logits(told[..., :1], wanted[..., :1], reduction="none")
    distance = F.smooth_l1_loss(told[..., 1:], wanted[..., 1:], reduction="none", beta=_BEND)
    return torch.cat([there, distance], dim=-1)


@torch.inference_mode()
def note_scores(trunk: Trunk, examples: Sequence[NoteExample], tokens: int = 16000) -> dict[str, float]:
    """For each output that is known of any note, its loss as a share of what the best constant has: 1 is nothing
    learnt, 0 is all."""
    told, wanted, weights = [], [], []
    for group in grouped_notes(examples, tokens):
        batch = pad_notes(group)
        ids, places = torch.from_numpy(batch.ids), torch.from_numpy(batch.places)
        memory, mask = trunk.encode(ids, places, symbol_id("from", batch.source), symbol_id("to", "performance"))
        if trunk.notes is None:
            raise ValueError("this trunk has no heads for notes")
        there = mask[:, 0, 0]
        told.append(trunk.notes(memory)[there])
        wanted.append(torch.from_numpy(batch.wanted)[there])
        weights.append(torch.from_numpy(batch.weights)[there])
    all_told, truth, known = torch.cat(told)[None], torch.cat(wanted)[None], torch.cat(weights)[None]
    own, constant = note_losses(all_told, truth, known), note_losses(_constant(truth, known), truth, known)
    return {
        name: float(own[i] / constant[i]) for i, name in enumerate(OUTPUTS) if known[..., i].any() and constant[i] > 0
    }


def _constant(wanted: Tensor, weights: Tensor) -> Tensor:
    """The same for all notes: the logit of how many are there, and of each other output the median."""
    values = torch.zeros(wanted.shape[-1])
    share = (wanted[..., 0] * weights[..., 0]).sum() / weights[..., 0].sum().clamp(min=1e-6)
    values[0] = share.clamp(1e-4, 1 - 1e-4).logit()
    for i in range(1, len(values)):
        known = wanted[..., i][weights[..., i] > 0]
        values[i] = known.median() if len(known) else 0.0
    return values.expand_as(wanted)
