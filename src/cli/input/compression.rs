//! Files whatever their compression.

use flate2::read::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Read};

/// First bytes of a gzip member (RFC 1952, 2.3.1) and of a zstd frame (RFC 8878, 3.1.1).
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Decompresses if need be; goes by the first bytes, since a name may lie.
pub(in crate::cli) fn decompressed(raw: impl Read + 'static) -> io::Result<Box<dyn BufRead>> {
    let mut raw = BufReader::with_capacity(1 << 16, raw);
    let first = raw.fill_buf()?;
    if first.starts_with(GZIP_MAGIC) {
        return Ok(Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(raw))));
    }
    if first.starts_with(ZSTD_MAGIC) {
        let decoder = zstd::stream::read::Decoder::with_buffer(raw)?;
        return Ok(Box::new(BufReader::with_capacity(1 << 16, decoder)));
    }
    Ok(Box::new(raw))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    fn text_of(bytes: Vec<u8>) -> String {
        let mut text = String::new();
        decompressed(Cursor::new(bytes)).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn compression_is_told_by_the_first_bytes() {
        let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        gzip.write_all(b"one\n").unwrap();
        let mut gzip = gzip.finish().unwrap();
        // Two members one after another are one file, as `cat a.gz b.gz` makes it.
        gzip.extend(gzip.clone());
        assert_eq!(text_of(gzip), "one\none\n");
        assert_eq!(text_of(zstd::encode_all(&b"two\n"[..], 1).unwrap()), "two\n");
        assert_eq!(text_of(b"three\n".to_vec()), "three\n");
        assert_eq!(text_of(vec![]), "");
    }
}
