//! int8 blocks.
