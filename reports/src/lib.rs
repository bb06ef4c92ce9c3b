//! Parquet schema.
