//! The hash chain over a log's lines: arithmetic only. Where values are kept, and what follows from one that
//! does not fit, is the business of `log`, `forward` and `follow`.
//!
//! `chain(n) = SHA-256(chain(n-1) ‖ line(n) ‖ LF)`, with 32 zero bytes before the first line of a log. The
//! line is the record's wire form, so anyone can check an export with `sha256` and ten lines of script.

use sha2::{Digest, Sha256};

/// A value of the chain.
pub type ChainValue = [u8; 32];

/// Stands before the first record.
pub const CHAIN_START: ChainValue = [0; 32];

/// The value after `line` (given without its line end).
pub fn next(before: &ChainValue, line: &[u8]) -> ChainValue {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(line);
    hash.update(b"\n");
    hash.finalize().into()
}

/// The value after `lines`, each of which has its line end.
pub fn after(before: &ChainValue, lines: &[u8]) -> ChainValue {
    lines.split_inclusive(|byte| *byte == b'\n').fold(*before, |chain, line| next(&chain, line.strip_suffix(b"\n").unwrap_or(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_plain_sha256() {
        // printf '%064d' 0 | xxd -r -p > z; (cat z; printf '{}\n') | sha256sum
        let value = next(&CHAIN_START, b"{}");
        let hex = hex::encode(value);
        assert_eq!(hex, "e2e53fdad3219f481a961695433c0f4f84734c604f52f3495cd0fc05e3279eb3");
    }

    #[test]
    fn runs_over_many_lines_as_over_each() {
        assert_eq!(after(&CHAIN_START, b"{}\n[]\n"), next(&next(&CHAIN_START, b"{}"), b"[]"));
        assert_eq!(after(&CHAIN_START, b""), CHAIN_START);
    }
}
