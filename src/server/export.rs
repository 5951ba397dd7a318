//! `GET /api/v1/export`: a range of the log as a file.

use super::asker::Asker;
use super::context::Context;
use super::events::{gone, poll_position};
use super::fleet::SETTLED;
use super::lines::guarded;
use super::negotiate;
use super::params::{FOLD, Params};
use super::problem::ApiError;
use crate::cursor::Sequence;
use crate::export::{Compression, Export, Format};
use crate::hooks::AsOf;
use crate::log::{Bounds, EventLog, LogError, Piece, Scan, WriterState};
use crate::projection::{Asked, Loss, MAX_KNOWN};
use crate::reader::{Reader, Want};
use crate::time::{Timestamp, received_now};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use warp::http::{HeaderMap, HeaderValue, header};
use warp::reply::Response;

const PARAMS: [&str; 9] = ["format", "compression", "since", "until", "filters", "exclude", FOLD, "after", "trailer"];
/// What is received takes less time than this on its way into the log, unless the recorder's queue says
/// otherwise.
const COMMIT: Duration = Duration::from_secs(1);

/// Streams everything up to the head as it is now. A read that fails ends the body without its end mark, so
/// that no client takes a part for the whole.
pub(super) async fn export(context: Arc<Context>, query: String, request: HeaderMap, asker: Asker) -> Result<Response, ApiError> {
    let params = Params::parse(&query, &PARAMS)?;
    let format: Format = params.get("format").unwrap_or("jsonl").parse().map_err(ApiError::bad_request)?;
    let compression: Compression = params.get("compression").unwrap_or("none").parse().map_err(ApiError::bad_request)?;
    let trailer = wants_trailer(&params, format)?;
    let (sent, coding) = on_the_way(&request, format, compression)?;
    // This is read before the head, so that it does not speak for records that come in between.
    let now = received_now();
    let bounds = context.log.bounds();
    let log = context.log_for(&asker);
    let (time, filter) = (params.time_range()?, params.folded_filter()?);
    let begin = bounds.oldest - 1;
    if let Some(cursor) = params.get("after") {
        context.come_to(cursor).await?;
    }
    let after = params.get("after").map(|text| poll_position(text, &context)).transpose()?;
    if let Some(after) = after.filter(|after| *after < begin) {
        return Err(gone(&(after + 1..=begin), bounds));
    }
    // Docker knows no such records, so that its form has them only where they are asked for.
    let (filter, elsewhere) = match format {
        Format::Docker => (filter, Vec::new()),
        Format::Jsonl | Format::Csv => (filter.telling_losses(), elsewhere(&context, &log, &time, bounds.head).await?),
    };
    let want = Want { time, until: bounds.head, ..Want::filtered(filter) };
    let elsewhere = elsewhere.into_iter().filter(|loss| want.filter.wants_source(&loss.source)).map(|loss| loss.seq);
    let (sent_before, to_send): (Vec<Sequence>, Vec<Sequence>) = elsewhere.partition(|seq| after.is_some_and(|after| *seq <= after));
    let reader = Reader::new(Arc::clone(&log), after.unwrap_or(begin), want.clone());
    let mut export = Export::new(reader, format, sent).with_losses(to_send.into());
    if trailer {
        let until = *want.time.end();
        export = export.with_trailer(as_of(&context, &*log, bounds, now).await?.min(until));
    }
    if let Some(after) = after {
        export = export.going_on(Reader::new(log, begin, Want { until: after, ..want }), sent_before);
    }
    let chunks = futures_util::stream::try_unfold(export, |mut export| async move { Ok(export.next().await?.map(|c| (c, export))) });
    let mut response = guarded(&asker, chunks);
    let name = format!("shipslog-{:08x}-{}.{}{}", bounds.log.prefix(), bounds.head, format.suffix(), compression.suffix());
    let content_type = match compression {
        Compression::None => format.content_type(),
        Compression::Gzip => "application/gzip",
        Compression::Zstd => "application/zstd",
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// Losses that concern a time and whose records do not lie in it.
async fn elsewhere(
    context: &Context,
    log: &Arc<dyn EventLog>,
    time: &RangeInclusive<Timestamp>,
    head: Sequence,
) -> Result<Vec<Loss>, LogError> {
    if *time == (Timestamp::MIN..=Timestamp::MAX) {
        return Ok(Vec::new());
    }
    let asked = Asked { max: MAX_KNOWN, ..Asked::at(time.clone()) };
    let met = context.losses.meeting(log, &asked, |loss| loss.seq <= head && !time.contains(&loss.told)).await?;
    Ok(met.losses)
}

/// Whether the last line is to say what there is.
fn wants_trailer(params: &Params, format: Format) -> Result<bool, ApiError> {
    match params.get("trailer") {
        None | Some("0") => Ok(false),
        Some("1") if format == Format::Jsonl => Ok(true),
        Some("1") => Err(ApiError::bad_request("trailer=1 goes with format=jsonl only: the other formats have no such line")),
        Some(_) => Err(ApiError::bad_request("trailer must be 0 or 1")),
    }
}

/// How an export is compressed, and the coding that the answer names. A client that takes zstd as a coding is
/// sent the log's own frames; one that takes nothing uncompressed is sent any format in a coding that it
/// takes.
fn on_the_way(request: &HeaderMap, format: Format, compression: Compression) -> Result<(Compression, Option<&'static str>), ApiError> {
    if compression != Compression::None {
        return Ok((compression, None));
    }
    let usual: &[&'static str] = if format == Format::Jsonl { &["zstd"] } else { &[] };
    let coding = negotiate::coding(request, usual).or_else(|_| negotiate::coding(request, &["zstd", "gzip"]))?;
    let sent = match coding {
        Some("zstd") => Compression::Zstd,
        Some(_) => Compression::Gzip,
        None => Compression::None,
    };
    Ok((sent, coding))
}

/// The time up to which everything received is in the log that has these bounds; `now` was before that.
pub(super) async fn as_of(context: &Context, log: &dyn EventLog, bounds: Bounds, now: Timestamp) -> Result<Timestamp, LogError> {
    let newest = if bounds.head < bounds.oldest { None } else { received(log, bounds).await? };
    let (has_all, late) = match &context.recording.fleet {
        Some(fleet) => (fleet.has_all(), SETTLED),
        None => (context.recording.recorder.queued() == 0, COMMIT),
    };
    let records = has_all && *context.log.watch_writer().borrow() == WriterState::Ok;
    let settled = now.checked_sub(late).unwrap_or(now);
    Ok(match newest {
        Some(newest) if records => newest.max(settled),
        Some(newest) => newest.max(context.recording.as_of.unwrap_or(newest)),
        None => settled,
    })
}

/// When the newest record was received.
async fn received(log: &dyn EventLog, bounds: Bounds) -> Result<Option<Timestamp>, LogError> {
    let chunk = log.read_after(bounds.head - 1, &Scan { max_bytes: 1, ..Scan::default() }).await?;
    let block = chunk.pieces.into_iter().find_map(|piece| if let Piece::Block(block) = piece { Some(block) } else { None });
    Ok(block.and_then(|block| block.record(bounds.head)).map(|record| record.received))
}

#[async_trait::async_trait]
impl AsOf for Context {
    async fn as_of(&self) -> Result<Timestamp, LogError> {
        let now = Timestamp::now();
        as_of(self, &*self.log, self.log.bounds(), now).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_a_file_already_is_compressed_on_the_way() {
        let ask = |accept: &'static str, format, compression| {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(accept))]);
            on_the_way(&headers, format, compression).map_err(|_| ())
        };
        for (accept, format, compression, expected) in [
            ("gzip, zstd", Format::Jsonl, Compression::None, Ok((Compression::Zstd, Some("zstd")))),
            ("gzip", Format::Jsonl, Compression::None, Ok((Compression::None, None))),
            ("gzip, zstd", Format::Csv, Compression::None, Ok((Compression::None, None))),
            ("zstd", Format::Jsonl, Compression::Gzip, Ok((Compression::Gzip, None))),
            ("gzip, identity;q=0", Format::Csv, Compression::None, Ok((Compression::Gzip, Some("gzip")))),
            ("gzip, identity;q=0", Format::Jsonl, Compression::None, Ok((Compression::Gzip, Some("gzip")))),
            ("br, identity;q=0", Format::Docker, Compression::None, Err(())),
        ] {
            assert_eq!(ask(accept, format, compression), expected, "{accept} {format:?} {compression:?}");
        }
    }
}
