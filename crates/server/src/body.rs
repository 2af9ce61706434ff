//! Reads the body of a request: checks its sender, length and pace, and decompresses it.

use std::io::{self, Read};

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::request::Parts;
use bytes::{Bytes, BytesMut};
use ctxpin_listener::{BodyError, BodyPace};
use ctxpin_model::access::Operation;
use ctxpin_model::limits::format_bytes;
use ctxpin_model::token::Credential;
use ctxpin_protocol::problem::ProblemName;
use flate2::bufread::MultiGzDecoder;

use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::callers::KnownCaller;
use crate::limits::{OTHER_BYTES_MAX, STRANGER_BYTES_MAX, ZSTD_WINDOW_LOG_MAX};
use crate::request_memory::RequestMemory;
use crate::route_policy::{BodyLimit, Deadline};

/// An extractor of a body's bytes.
pub(crate) struct RawBody {
    /// The bytes after decompression.
    pub body: Bytes,
    /// The sender, or `None` if the body is too short for a lookup.
    pub sender: Option<KnownCaller>,
}

impl FromRequest<App> for RawBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let limit = parts.extensions.get::<BodyLimit>().copied();
        let most = limit.map_or(OTHER_BYTES_MAX, |limit| limit.bytes_max);
        let encoding = Encoding::from_headers(&parts.headers)?;
        let told = content_length(&parts.headers).unwrap_or_default();
        if told > most {
            return Err(too_long(most));
        }
        let mut sender = BodySender {
            app,
            parts: &parts,
            load: RequestMemory::of(&parts)?,
            operation: limit.and_then(|limit| limit.operation),
            known: None,
        };
        let mut pace = BodyPace::new(&app.limits.connections);
        let mut pieces = body.into_data_stream();
        let mut body = BytesMut::new();
        sender.may_send(told).await?;
        while let Some(piece) = pace.next(&mut pieces).await.map_err(body_error)? {
            let length = (body.len() + piece.len()) as u64;
            if length > most {
                return Err(too_long(most));
            }
            sender.may_send(length).await?;
            sender.load.grow(piece.len() as u64)?;
            if let Some(deadline) = parts.extensions.get::<Deadline>() {
                deadline.restart();
            }
            body.extend_from_slice(&piece);
        }
        let mut body = body.freeze();
        if encoding != Encoding::Identity {
            body = sender.decompress(encoding, body, most).await?;
        }
        let sender = sender.known;
        Ok(Self { body, sender })
    }
}

/// The sender of a body.
struct BodySender<'r> {
    app: &'r App,
    parts: &'r Parts,
    load: &'r RequestMemory,
    operation: Option<Operation>,
    /// Set once the token was looked up.
    known: Option<KnownCaller>,
}

impl BodySender<'_> {
    /// Looks the token up, unless that was done or the body is short.
    ///
    /// # Errors
    ///
    /// Fails if the token is not valid or does not allow the operation. Then the rest is not read.
    async fn may_send(&mut self, bytes: u64) -> ApiResult<Option<KnownCaller>> {
        if self.known.is_some() || bytes <= STRANGER_BYTES_MAX {
            return Ok(self.known);
        }
        let credential = self.parts.extensions.get::<Credential>().copied();
        let credential = credential.ok_or_else(|| {
            let detail = "Send a token as `Authorization: Bearer ctxpin_...`.";
            ApiError::new(ProblemName::Unauthenticated, detail)
        })?;
        let known = self.load.look_up(self.app, credential, self.operation);
        self.known = Some(known.await?);
        Ok(self.known)
    }

    /// Decompresses a body, in the workshop if the result is longer than [`STRANGER_BYTES_MAX`].
    async fn decompress(&mut self, encoding: Encoding, body: Bytes, most: u64) -> ApiResult<Bytes> {
        let unpacked = match encoding.decompress(&body, most.min(STRANGER_BYTES_MAX)) {
            Err(DecompressError::TooLong) if most > STRANGER_BYTES_MAX => {
                let unpack = move || encoding.decompress(&body, most);
                match self.may_send(most).await? {
                    Some(known) => self.app.service.work(known.user, most, unpack).await?,
                    None => unpack(),
                }
            }
            unpacked => unpacked,
        };
        let unpacked = unpacked.map_err(|failed| failed.into_api_error(most))?;
        self.load.grow(unpacked.len() as u64)?;
        Ok(unpacked)
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Returns the response to a body that could not be read to its end.
fn body_error(error: BodyError) -> ApiError {
    match error {
        BodyError::Broken => DecompressError::Broken.into_api_error(0),
        BodyError::TooSlow {
            rate_min,
            pause_max,
        } => {
            let pause = pause_max.as_secs();
            let detail = format!(
                "The body came too slowly: send {rate_min} bytes a second on average, and at least one \
                 byte every {pause} s."
            );
            ApiError::new(ProblemName::RequestTimeout, detail)
        }
    }
}

/// The compression of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

/// Why a body could not be decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DecompressError {
    TooLong,
    Broken,
}

impl Encoding {
    /// Returns the encoding that the headers name.
    ///
    /// # Errors
    ///
    /// Fails if the encoding is unknown, or if there are several.
    fn from_headers(headers: &HeaderMap) -> ApiResult<Self> {
        let mut found = Self::Identity;
        for encoding in headers.get_all(CONTENT_ENCODING) {
            let is = |name: &str| encoding.as_bytes().eq_ignore_ascii_case(name.as_bytes());
            found = match found {
                found if is("identity") => found,
                Self::Identity if is("gzip") || is("x-gzip") => Self::Gzip,
                Self::Identity if is("zstd") => Self::Zstd,
                _ => {
                    let detail = "Compress the body with gzip or zstd, or not at all.";
                    return Err(ApiError::new(ProblemName::UnsupportedMediaType, detail));
                }
            };
        }
        Ok(found)
    }

    /// Decompresses a body of at most `most` bytes.
    fn decompress(self, body: &Bytes, most: u64) -> Result<Bytes, DecompressError> {
        match self {
            Self::Identity if body.len() as u64 > most => Err(DecompressError::TooLong),
            Self::Identity => Ok(body.clone()),
            Self::Gzip => read_at_most(MultiGzDecoder::new(&body[..]), most),
            Self::Zstd => {
                let broken = |_: io::Error| DecompressError::Broken;
                let decoder = zstd::stream::read::Decoder::with_buffer(&body[..]);
                let mut decoder = decoder.map_err(broken)?;
                let windows = decoder.window_log_max(ZSTD_WINDOW_LOG_MAX);
                windows.map_err(broken)?;
                read_at_most(decoder, most)
            }
        }
    }
}

fn read_at_most(decoder: impl Read, most: u64) -> Result<Bytes, DecompressError> {
    let mut unpacked = Vec::new();
    let read = decoder.take(most + 1).read_to_end(&mut unpacked);
    match read {
        Ok(length) if length as u64 > most => Err(DecompressError::TooLong),
        Ok(_) => Ok(unpacked.into()),
        Err(_) => Err(DecompressError::Broken),
    }
}

impl DecompressError {
    fn into_api_error(self, most: u64) -> ApiError {
        match self {
            Self::TooLong => too_long(most),
            Self::Broken => ApiError::new(
                ProblemName::MalformedRequest,
                format!(
                    "The body ended early, or is not compressed as its `Content-Encoding` says (zstd with \
                     a window of at most {}).",
                    format_bytes(1 << ZSTD_WINDOW_LOG_MAX)
                ),
            ),
        }
    }
}

fn too_long(most: u64) -> ApiError {
    let detail =
        format!("The body may have at most {most} bytes here, before and after decompression.");
    ApiError::new(ProblemName::TooLarge, detail)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd_with_window(bytes: &[u8], window_log: u32) -> Vec<u8> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        encoder.window_log(window_log).unwrap();
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn encodings() {
        let check = |values: &[&'static str], expected: Option<Encoding>| {
            let headers = values
                .iter()
                .map(|value| (CONTENT_ENCODING, value.parse().unwrap()));
            let headers: HeaderMap = headers.collect();
            assert_eq!(
                Encoding::from_headers(&headers).ok(),
                expected,
                "{values:?}"
            );
        };
        check(&[], Some(Encoding::Identity));
        check(&["identity"], Some(Encoding::Identity));
        check(&["GZIP"], Some(Encoding::Gzip));
        check(&["identity", "zstd"], Some(Encoding::Zstd));
        check(&["br"], None);
        check(&["gzip, zstd"], None);
        check(&["gzip, gzip"], None);
        check(&["gzip", "gzip"], None);
        check(&["zstd", "gzip"], None);
    }

    #[test]
    fn decompression_stops_at_the_limit() {
        let long = vec![b'a'; 64 << 20];
        for (encoding, packed) in [
            (Encoding::Gzip, gzip(&long)),
            (Encoding::Zstd, zstd_with_window(&long, 20)),
        ] {
            let packed = Bytes::from(packed);
            assert!(packed.len() < 80_000, "{encoding:?}: {}", packed.len());
            let found = encoding.decompress(&packed, 1_000_000);
            assert_eq!(found, Err(DecompressError::TooLong), "{encoding:?}");
        }
        // The server reads one byte past the limit of an endless body.
        struct Endless(u64);
        impl Read for &mut Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += buffer.len() as u64;
                Ok(buffer.len())
            }
        }
        let mut endless = Endless(0);
        assert_eq!(
            read_at_most(&mut endless, 7_000),
            Err(DecompressError::TooLong)
        );
        assert_eq!(endless.0, 7_001);
    }

    #[test]
    fn concatenated_frames_are_one_body() {
        for (encoding, part) in [
            (Encoding::Gzip, gzip(b"abc")),
            (Encoding::Zstd, zstd_with_window(b"abc", 20)),
        ] {
            let twice = Bytes::from(part.repeat(2));
            assert_eq!(encoding.decompress(&twice, 6), Ok("abcabc".into()));
            assert_eq!(
                encoding.decompress(&twice, 5),
                Err(DecompressError::TooLong)
            );
            let rest = Bytes::from([&part[..], b"rest"].concat());
            assert_eq!(encoding.decompress(&rest, 99), Err(DecompressError::Broken));
            let half = Bytes::from(part[..part.len() - 1].to_vec());
            assert_eq!(encoding.decompress(&half, 99), Err(DecompressError::Broken));
            // Nothing is decompressed twice.
            let nested = match encoding {
                Encoding::Gzip => gzip(&part),
                _ => zstd_with_window(&part, 20),
            };
            assert_eq!(encoding.decompress(&nested.into(), 99), Ok(part.into()));
        }
    }

    #[test]
    fn a_large_window_is_refused() {
        let long = vec![7; 9 << 20];
        let fits = zstd_with_window(&long, ZSTD_WINDOW_LOG_MAX);
        let unpacked = Encoding::Zstd.decompress(&fits.into(), 12 << 20);
        assert_eq!(unpacked.map(|bytes| bytes.len()), Ok(9 << 20));
        let large = zstd_with_window(&long, ZSTD_WINDOW_LOG_MAX + 1);
        let unpacked = Encoding::Zstd.decompress(&large.into(), 12 << 20);
        assert_eq!(unpacked, Err(DecompressError::Broken));
    }
}
