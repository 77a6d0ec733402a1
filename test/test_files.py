import pytest

from neuron_reach.files import atomic_folder, write_text


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else None
        for path in sorted(folder.rglob('*'))
    }


@pytest.mark.parametrize('before', [False, True])
def test_a_folder_appears_as_a_whole(tmp_path, before):
    target = tmp_path / 'deep' / 'folder'
    if before:
        target.mkdir(parents=True)
        (target / 'old').write_text('old')
    with atomic_folder(target) as aside:
        (aside / 'one').write_text('1')
        assert target.exists() == before
        (aside / 'two').write_text('2')
    assert content(target.parent) == {'folder': None, 'folder/one': '1', 'folder/two': '2'}


@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize('before', [False, True])
def test_after_an_error_all_is_as_before(tmp_path, before, error):
    target = tmp_path / 'folder'
    if before:
        target.mkdir()
        (target / 'old').write_text('old')
    kept = content(tmp_path)
    with pytest.raises(error), atomic_folder(target) as aside:
        (aside / 'one').write_text('1')
        raise error
    assert content(tmp_path) == kept


def test_what_a_killed_writer_left_is_in_nobodys_way(tmp_path):
    for left in ('folder.partial', 'folder.old'):
        (tmp_path / left).mkdir()
        (tmp_path / left / 'junk').write_text('junk')
    (tmp_path / 'folder').mkdir()
    with atomic_folder(tmp_path / 'folder') as aside:
        (aside / 'one').write_text('1')
    assert content(tmp_path) == {'folder': None, 'folder/one': '1'}


def test_a_text_is_replaced_as_a_whole(tmp_path):
    file = tmp_path / 'file.json'
    write_text(file, 'first')
    write_text(file, 'zweite, größer')
    assert file.read_text(encoding='utf-8') == 'zweite, größer'
    assert [path.name for path in tmp_path.iterdir()] == ['file.json']
