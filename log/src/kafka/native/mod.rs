//! Features of librdkafka that the crate does not expose: the events of a group as values, records in batches, the end
//! of a partition, which horizons need (L7), and ids of topics. The only module with unsafe code; every pointer in it
//! lives as long as the event or record that it came from, and no longer than one call.
//!
//! A consumer's own queue has the events of the group ([`Events`]); each partition has a queue for its records
//! ([`Records`]), so one that is not read holds up no other, and librdkafka stops fetching it automatically.

#![allow(unsafe_code, reason = "librdkafka's C interface")]

mod records;
mod topic_ids;

pub(super) use records::{Came, Record, Records};
pub(super) use topic_ids::topic_ids;

use std::ffi::CStr;
use std::os::raw::c_char;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as sys;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;

use super::client::Reader;

/// A partition by the names of the cluster.
pub(super) type Place = (String, i32);

/// What happened.
pub(super) enum Event {
    /// Partitions were assigned.
    Assign(Vec<Place>),
    /// Partitions are revoked; if lost, they may already have another owner.
    Revoke { partitions: Vec<Place>, lost: bool },
    /// An error. Most are temporary.
    Error { code: RDKafkaErrorCode, fatal: bool, text: String, place: Option<Place> },
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
        // SAFETY: the event is ours, and there is no pointer into it any more.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

impl Events {
    /// The queue of a consumer that has a group; `None` if it has none.
    pub(super) fn of(consumer: &Arc<Reader>) -> Option<Events> {
        // SAFETY: the client lives as long as `consumer`, which we keep.
        let queue = unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        Some(Events { queue: NonNull::new(queue)?, consumer: Arc::clone(consumer) })
    }

    /// Passes on the next event, if there is one within `wait_ms`. Returns whether there was.
    pub(super) fn next(&mut self, wait_ms: i32, take: &mut dyn FnMut(Event)) -> bool {
        // SAFETY: the queue is ours.
        let event = unsafe { sys::rd_kafka_queue_poll(self.queue.as_ptr(), wait_ms) };
        let Some(event) = NonNull::new(event).map(Held) else { return false };
        let raw = event.0.as_ptr();
        // SAFETY: the event lives to the end of this function, and `take` cannot keep what it borrows.
        unsafe {
            match sys::rd_kafka_event_type(raw) {
                sys::RD_KAFKA_EVENT_FETCH => astray(raw, take),
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
/// `text` is null or a C string that outlives the result.
unsafe fn str_of<'a>(text: *const c_char) -> std::borrow::Cow<'a, str> {
    if text.is_null() {
        return "".into();
    }
    unsafe { CStr::from_ptr(text) }.to_string_lossy()
}

/// Every partition has its own queue before it is assigned; a record that arrives here is missing there.
unsafe fn astray(event: *mut sys::rd_kafka_event_t, take: &mut dyn FnMut(Event)) {
    let records = unsafe { sys::rd_kafka_event_message_count(event) };
    let text = format!("{records} records arrived outside of their partition's queue; restart this role");
    take(Event::Error { code: RDKafkaErrorCode::Fatal, fatal: true, text, place: None });
}

unsafe fn rebalance(event: *mut sys::rd_kafka_event_t, consumer: &Reader, take: &mut dyn FnMut(Event)) {
    let mut partitions = Vec::new();
    unsafe {
        // An empty list may have no valid pointer.
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

unsafe fn error(event: *mut sys::rd_kafka_event_t, take: &mut dyn FnMut(Event)) {
    unsafe {
        let raw = sys::rd_kafka_event_error(event);
        let code = RDKafkaErrorCode::from(raw);
        let place = sys::rd_kafka_event_topic_partition(event);
        let named = place.as_ref().filter(|p| !p.topic.is_null());
        take(Event::Error {
            code,
            fatal: sys::rd_kafka_event_error_is_fatal(event) != 0,
            text: str_of(sys::rd_kafka_event_error_string(event)).into_owned(),
            place: named.map(|p| (str_of(p.topic).into_owned(), p.partition)),
        });
        if !place.is_null() {
            sys::rd_kafka_topic_partition_destroy(place);
        }
    }
}

unsafe fn log(event: *mut sys::rd_kafka_event_t) {
    let (mut facility, mut text, mut level) = (ptr::null(), ptr::null(), 0);
    unsafe {
        if sys::rd_kafka_event_log(event, &mut facility, &mut text, &mut level) == 0 {
            super::client::log_line(level, &str_of(facility), &str_of(text));
        }
    }
}

/// The offset after the last record or marker that was read of a partition; `None` if nothing was read yet.
pub(super) fn position(consumer: &Reader, topic: &str, partition: i32) -> Option<i64> {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition(topic, partition);
    // SAFETY: client and list live through the call.
    unsafe { sys::rd_kafka_position(consumer.client().native_ptr(), list.ptr()) };
    let offset = list.elements().first()?.offset().to_raw()?;
    (offset >= 0).then_some(offset)
}

/// Generation of the group that a consumer is a member of; negative if it is not a member.
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
