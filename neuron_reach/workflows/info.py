"""What a run folder, a checkpoint or a bag holds, in words for a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neuron_reach.bags.summary import BagSummary, summarize
from neuron_reach.common.files import NO_DIGEST
from neuron_reach.common.names import BAG, METADATA, MODEL, PARTIAL, RESULTS
from neuron_reach.common.paths import bag_in, checkpoint_in, is_bag, saved_states
from neuron_reach.errors import UserError
from neuron_reach.learning.metadata import read_metadata, read_parameters


def describe_path(
    path: Path, namespace: str | None = None, summary: BagSummary | None = None
) -> str:
    """Describe whatever is at a path.

    Args:
        path: of a checkpoint, a bag, a run folder, or a folder that holds a bag.
        namespace: of the topics of a bag to look at; None: all.
        summary: of its bag, if that is known already.

    Raises:
        UserError: there is nothing, or nothing of ours.
    """
    checkpoint, bag = checkpoint_in(path), bag_in(path)
    parts = []
    if checkpoint is not None:
        parts.append(_describe_checkpoint(checkpoint))
    elif states := saved_states(path):
        parts.append(_describe_checkpoint(states[-1]))
    unfinished = path / (BAG + PARTIAL)
    if bag is None and is_bag(unfinished):
        parts.append(f'{unfinished}: a recording that was not finished, or is being made')
    if bag is None and not parts and path.is_dir():
        raise UserError(f'{path}: is no run folder, checkpoint or bag{_results_in(path)}')
    if bag is None and not parts:
        bag = path if path.exists() else None  # the reader says what a bag is
    if bag is not None:
        summary = summary or summarize(bag, namespace)
        parts.append(str(summary))
        if checkpoint is not None:
            from neuron_reach.records.networks import tell_origin

            parts[-1] += f'\n{tell_origin(path, summary)}'
    if not parts:
        raise UserError(f'{path}: no such file or folder')
    return '\n\n'.join(parts)


def _results_in(folder: Path) -> str:
    found = [f'{command} ({name})' for command, name in RESULTS.items() if (folder / name).exists()]
    return f', but holds results of {", ".join(found)}' if found else ''


def _describe_checkpoint(path: Path) -> str:
    metadata = read_metadata(path / METADATA)
    _, has_digest = read_parameters(path / MODEL, metadata.setup)
    lines = _checkpoint_lines(path, metadata.values)
    if not (has_digest and metadata.has_digest):
        lines.append(('Files', f'have {NO_DIGEST}'))
    return '\n'.join(f'{name:<11}{text}' for name, text in lines)


def _checkpoint_lines(path: Path, metadata: dict[str, Any]) -> list[tuple[str, str]]:
    hidden = ' '.join(map(str, metadata['hidden']))
    validation = metadata['validation']
    lines = [
        ('Network', str(path)),
        ('Arm', f'{metadata["joints"]} joints, {sum(metadata["link_lengths"]):g} m long'),
        ('Layers', f'{2 * metadata["joints"] + 2} | {hidden} | {len(metadata["actions"])}'),
        ('Seed', str(metadata['seed'])),
    ]
    if validation['training_duration'] is None:
        lines.append(('Trained', f'not yet; {len(validation["history"])} validation tests played'))
        return lines
    passed = f'test first passed after {validation["training_duration"]} episodes'
    if validation['confirmed'] is None:
        lines.append(('Trained', f'not yet; {passed}, but not confirmed by a second one'))
    else:
        lines.append(('Trained', passed))
        episode, successes, played = validation['history'][-1]
        lines.append(
            (
                'Confirmed',
                f'by a second test after {episode} episodes ({successes}/{played} in the first)',
            )
        )
    if 'accuracy' in validation:
        accuracy = validation['accuracy']
        low, high = accuracy['interval_95']
        lines.append(
            (
                'Accuracy',
                f'{accuracy["value"]:.1%} of {accuracy["episodes"]} unseen goals '
                f'(95 % interval {low:.1%} to {high:.1%})',
            )
        )
    return lines
