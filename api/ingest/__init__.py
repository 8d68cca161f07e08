"""Uploaded files → records in chunks, with flat memory and within bounds.

The API's side: `upload_form.py` (what the caller says), `pool.py` (who may upload), `process.py` and
`frames.py` (a process that reads), `upload.py` (from its frames to a received submission).

The process's side, which knows neither HTTP nor the database: `worker.py`, `reading.py` (one file), then
- bytes: `compression.py`, `foreign.py` (other kinds of files), `scan.py` (the first pass), `decoding.py`
  with `detection.py`, `plausibility.py` and `letters.py` (which encoding), `lines.py`;
- cells: `csv_rows.py` with `dialect.py`, `records.py` and `quoting.py`, or `workbook_rows.py`;
  `header.py`, `table.py`;
- objects: `ndjson_rows.py` with `numbers.py` and `depth.py`;
- what comes of them: `rows.py`, `chunks.py`, `profile.py`, `notes.py`, `refusal.py`.
"""
