def test_bad_input_is_one_line(tmp_path, trained, refused):
    out = ['-o', tmp_path / 'out']
    refused('prune-train', tmp_path / 'no', *out, words=['no such checkpoint'])
    refused('prune-train', trained, *out, '--steps', '0', words=['steps', '1 to 100'])
    refused('prune-train', trained, *out, '--max-episodes', '0', words=['max_episodes'])
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'reduction.json').write_text('{"source"')
    refused('prune-train', trained, *out, words=['reduction.json', 'truncated'])
