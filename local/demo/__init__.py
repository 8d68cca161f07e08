"""`python -m local demo`: a sample file on its way from CRM export to signed webhook."""
