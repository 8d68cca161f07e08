"""Uploaded files → records in chunks, with flat memory: scan, read rows, chunk, send.

`csv_rows.py` and `ndjson_rows.py` define which rows become records. Every other row is rejected with its line
number and its raw text; only blank lines are skipped.
"""
