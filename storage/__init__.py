"""Files and objects: a directory that is local or S3, read and written whole; Parquet."""
