//! What a consumer's queue brings, with all that librdkafka says of it: the crate keeps topic and offset of a partition's
//! end to itself, and horizons need them (L7). The only module with unsafe code; every pointer in it lives as long as the
//! event that it came from, and no longer than one call.

#![allow(unsafe_code, reason = "librdkafka's C interface")]

use std::ffi::CStr;
use std::os::raw::c_char;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use rdkafka::bindings as sys;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;

use super::client::Reader;

/// A partition by the names of the cluster.
pub(super) type Place = (String, i32);

/// What happened.
pub(super) enum Event<'a> {
    /// A record.
    Record(Record<'a>),
    /// Everything below the offset was delivered, and there is nothing more at present.
    End { topic: &'a str, partition: i32, offset: i64 },
    /// Partitions came.
    Assign(Vec<Place>),
    /// Partitions go; lost: they may be somebody else's already.
    Revoke { partitions: Vec<Place>, lost: bool },
    /// An error. Most pass by themselves.
    Error { code: RDKafkaErrorCode, fatal: bool, text: String, place: Option<Place> },
}

/// A record as it lies in librdkafka's memory.
pub(super) struct Record<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds.
    pub timestamp: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Vec<(std::borrow::Cow<'a, str>, &'a [u8])>,
}

/// The queue of a consumer.
pub(super) struct Events {
    queue: NonNull<sys::rd_kafka_queue_t>,
    consumer: Arc<Reader>,
}

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for Events {}
// SAFETY: as above; `next` takes `&mut self` besides.
unsafe impl Sync for Events {}

struct Held(NonNull<sys::rd_kafka_event_t>);

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: the event is ours, and nobody has a pointer into it any more.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

impl Events {
    /// The queue of a consumer that has a group. None: it has none.
    pub(super) fn of(consumer: &Arc<Reader>) -> Option<Events> {
        // SAFETY: the client lives as long as `consumer`, which we keep.
        let queue = unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        Some(Events { queue: NonNull::new(queue)?, consumer: Arc::clone(consumer) })
    }

    /// Hands the next event over, if there is one within `wait_ms`. Answers whether there was.
    pub(super) fn next(&mut self, wait_ms: i32, take: &mut dyn FnMut(Event<'_>)) -> bool {
        // SAFETY: the queue is ours.
        let event = unsafe { sys::rd_kafka_queue_poll(self.queue.as_ptr(), wait_ms) };
        let Some(event) = NonNull::new(event).map(Held) else { return false };
        let raw = event.0.as_ptr();
        // SAFETY: the event lives to the end of this function, and `take` cannot keep what it borrows.
        unsafe {
            match sys::rd_kafka_event_type(raw) {
                sys::RD_KAFKA_EVENT_FETCH => records(raw, take),
                sys::RD_KAFKA_EVENT_REBALANCE => rebalance(raw, &self.consumer, take),
                sys::RD_KAFKA_EVENT_ERROR => error(raw, take),
                sys::RD_KAFKA_EVENT_LOG => log(raw),
                _ => {}
            }
        }
        true
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // SAFETY: the reference to the queue is ours; the client, whose queue it is, is dropped after it.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// # Safety
/// `text` is null or a C string that outlives the answer.
unsafe fn str_of<'a>(text: *const c_char) -> std::borrow::Cow<'a, str> {
    if text.is_null() {
        return "".into();
    }
    unsafe { CStr::from_ptr(text) }.to_string_lossy()
}

/// # Safety
/// `data` is null or has `len` bytes that outlive the answer.
unsafe fn bytes_of<'a>(data: *const std::os::raw::c_void, len: usize) -> Option<&'a [u8]> {
    (!data.is_null()).then(|| unsafe { slice::from_raw_parts(data.cast::<u8>(), len) })
}

unsafe fn records(event: *mut sys::rd_kafka_event_t, take: &mut dyn FnMut(Event<'_>)) {
    unsafe {
        loop {
            let message = sys::rd_kafka_event_message_next(event);
            let Some(m) = message.as_ref() else { return };
            let topic = str_of(sys::rd_kafka_topic_name(m.rkt));
            let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
            let timestamp = sys::rd_kafka_message_timestamp(message, &mut kind);
            take(Event::Record(Record {
                topic: &topic,
                partition: m.partition,
                offset: m.offset,
                timestamp,
                key: bytes_of(m.key, m.key_len),
                value: bytes_of(m.payload, m.len),
                headers: headers(message),
            }));
        }
    }
}

unsafe fn headers<'a>(message: *const sys::rd_kafka_message_t) -> Vec<(std::borrow::Cow<'a, str>, &'a [u8])> {
    let mut all = Vec::new();
    let mut list = ptr::null_mut();
    unsafe {
        let found = sys::rd_kafka_message_headers(message, &mut list);
        if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return all;
        }
        let (mut name, mut value, mut len) = (ptr::null(), ptr::null(), 0);
        while sys::rd_kafka_header_get_all(list, all.len(), &mut name, &mut value, &mut len)
            == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            all.push((str_of(name), bytes_of(value, len).unwrap_or_default()));
        }
    }
    all
}

unsafe fn rebalance(event: *mut sys::rd_kafka_event_t, consumer: &Reader, take: &mut dyn FnMut(Event<'_>)) {
    let mut partitions = Vec::new();
    unsafe {
        // An empty list has no elements to point at.
        let list = sys::rd_kafka_event_topic_partition_list(event).as_ref();
        if let Some(list) = list.filter(|list| !list.elems.is_null()) {
            for element in slice::from_raw_parts(list.elems, usize::try_from(list.cnt).unwrap_or(0)) {
                partitions.push((str_of(element.topic).into_owned(), element.partition));
            }
        }
        match sys::rd_kafka_event_error(event) {
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => take(Event::Assign(partitions)),
            _ => take(Event::Revoke { partitions, lost: consumer.assignment_lost() }),
        }
    }
}

unsafe fn error(event: *mut sys::rd_kafka_event_t, take: &mut dyn FnMut(Event<'_>)) {
    unsafe {
        let raw = sys::rd_kafka_event_error(event);
        let code = RDKafkaErrorCode::from(raw);
        let place = sys::rd_kafka_event_topic_partition(event);
        let named = place.as_ref().filter(|p| !p.topic.is_null()).map(|p| (str_of(p.topic), p.partition, p.offset));
        match &named {
            Some((topic, partition, offset)) if code == RDKafkaErrorCode::PartitionEOF => {
                take(Event::End { topic, partition: *partition, offset: *offset });
            }
            _ => take(Event::Error {
                code,
                fatal: sys::rd_kafka_event_error_is_fatal(event) != 0,
                text: str_of(sys::rd_kafka_event_error_string(event)).into_owned(),
                place: named.map(|(topic, partition, _)| (topic.into_owned(), partition)),
            }),
        }
        if !place.is_null() {
            sys::rd_kafka_topic_partition_destroy(place);
        }
    }
}

unsafe fn log(event: *mut sys::rd_kafka_event_t) {
    let (mut facility, mut text, mut level) = (ptr::null(), ptr::null(), 0);
    unsafe {
        if sys::rd_kafka_event_log(event, &mut facility, &mut text, &mut level) == 0 {
            super::client::told(level, &str_of(facility), &str_of(text));
        }
    }
}

/// Generation of the group that a consumer is a member of; negative: it is none.
pub(super) fn generation(consumer: &Reader) -> i32 {
    // SAFETY: the client lives while `consumer` is borrowed; the metadata is a copy that is freed here.
    unsafe {
        let metadata = sys::rd_kafka_consumer_group_metadata(consumer.client().native_ptr());
        if metadata.is_null() {
            return -1;
        }
        let generation = sys::rd_kafka_consumer_group_metadata_generation_id(metadata);
        sys::rd_kafka_consumer_group_metadata_destroy(metadata);
        generation
    }
}
