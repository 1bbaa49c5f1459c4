//! Reading back, file by file.
