"""What a run folder, a checkpoint or a bag holds, in words for a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from neuron_reach.bags.summary import summarize
from neuron_reach.errors import UserError


def describe_path(path: Path, namespace: str | None = None) -> str:
    """Describe whatever is at a path.

    Args:
        path: where it is.
        namespace: of the topics of a bag to look at; None: all.

    Raises:
        UserError: there is nothing, or nothing of ours.
    """
    if (path / 'metadata.json').exists():
        return _describe_checkpoint(path)
    parts = []
    if (path / 'checkpoint').exists():
        parts.append(_describe_checkpoint(path / 'checkpoint'))
    elif (path / 'checkpoints').exists():
        from neuron_reach.learning.session import saved_states  # brings torch along

        parts += [_describe_checkpoint(newest) for newest in saved_states(path)[-1:]]
    if parts:
        if (path / 'bag').exists():
            parts.append(str(summarize(path / 'bag', namespace)))
        return '\n\n'.join(parts)
    if not path.exists():
        raise UserError(f'{path}: no such file or folder')
    return str(summarize(path, namespace))


def _describe_checkpoint(path: Path) -> str:
    try:
        metadata = json.loads((path / 'metadata.json').read_text(encoding='utf-8'))
        return '\n'.join(f'{name:<11}{text}' for name, text in _checkpoint_lines(path, metadata))
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from None
    except (ValueError, KeyError, TypeError, IndexError):
        raise UserError(f'{path}: metadata.json is truncated or not ours') from None


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
    lines.append(('Trained', f'test first passed after {validation["training_duration"]} episodes'))
    if validation['confirmed'] is not None:
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
