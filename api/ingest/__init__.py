"""Uploaded files → records in chunks, with flat memory: scan, read rows, chunk, send.

What a row must be to become a record is said in `csv_rows.py` and `ndjson_rows.py`. A row that is not is
rejected with its line number and its raw text; only blank lines are skipped.
"""
