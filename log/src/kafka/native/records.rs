//! The queue of one partition, read in batches: librdkafka takes its lock once for many records, and what is not read
//! waits there, within what it fetches ahead.

use std::borrow::Cow;
use std::os::raw::c_void;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_timestamp_type_t as Kind;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use tokio::sync::Notify;

use super::str_of;
use crate::kafka::client::Reader;

/// A record in librdkafka's memory.
pub(in crate::kafka) struct Record<'a> {
    pub offset: i64,
    /// Milliseconds.
    pub timestamp: i64,
    /// Whether the broker set it (LogAppendTime), not the producer.
    pub by_broker: bool,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Vec<(Cow<'a, str>, Option<&'a [u8]>)>,
}

/// An item of a partition's queue.
pub(in crate::kafka) enum Came<'a> {
    /// A record.
    Record(Record<'a>),
    /// Everything below the offset was delivered, and there is nothing more at the moment.
    End(i64),
    /// An error. Most are temporary.
    Error { code: RDKafkaErrorCode, text: String },
}

/// The queue of a partition.
pub(in crate::kafka) struct Records {
    queue: NonNull<sys::rd_kafka_queue_t>,
    /// Room for the pointers of a batch.
    messages: Vec<*mut sys::rd_kafka_message_t>,
    /// What librdkafka rings when the queue is no longer empty.
    _woken: Arc<Notify>,
    /// Dropped after the queue.
    _consumer: Arc<Reader>,
}

// SAFETY: librdkafka's queues may be used from any thread; the pointers live within one call.
unsafe impl Send for Records {}
// SAFETY: as above; `take` takes `&mut self` besides.
unsafe impl Sync for Records {}

struct Held(NonNull<sys::rd_kafka_message_t>);

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: the message is ours, and there is no pointer into it any more.
        unsafe { sys::rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}

impl Records {
    /// Gives a partition its own queue. To be called before the partition is assigned: earlier records would have
    /// gone to the consumer's queue. `None` if the name cannot be that of a topic.
    pub(in crate::kafka) fn of(
        consumer: &Arc<Reader>,
        topic: &str,
        partition: i32,
        woken: &Arc<Notify>,
    ) -> Option<Records> {
        let topic = std::ffi::CString::new(topic).ok()?;
        // SAFETY: client and name live longer than the calls. The callback's argument is kept until the callback is taken
        // back, which librdkafka does under the queue's lock, as it calls it.
        unsafe {
            let client = consumer.client().native_ptr();
            let queue = NonNull::new(sys::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition))?;
            sys::rd_kafka_queue_forward(queue.as_ptr(), ptr::null_mut());
            let bell = Arc::as_ptr(woken).cast_mut().cast::<c_void>();
            sys::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(ring), bell);
            let (_woken, _consumer) = (Arc::clone(woken), Arc::clone(consumer));
            Some(Records { queue, messages: Vec::new(), _woken, _consumer })
        }
    }

    /// Whether something waits.
    pub(in crate::kafka) fn waiting(&self) -> bool {
        // SAFETY: the queue is ours.
        unsafe { sys::rd_kafka_queue_length(self.queue.as_ptr()) > 0 }
    }

    /// Passes on up to `most` waiting records; if there are none, the first that arrive within `wait_ms`. Returns how
    /// many there were.
    pub(in crate::kafka) fn take(&mut self, most: usize, wait_ms: i32, take: &mut dyn FnMut(Came<'_>)) -> usize {
        if self.messages.len() < most {
            self.messages.resize(most, ptr::null_mut());
        }
        // librdkafka waits until it has as many as requested.
        let (most, wait_ms) = if self.waiting() { (most, 0) } else { (most.min(1), wait_ms) };
        // SAFETY: there is room for `most` pointers; each message is ours until its `Held` is dropped, and `take` cannot
        // keep what it borrows.
        unsafe {
            let came =
                sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), wait_ms, self.messages.as_mut_ptr(), most);
            let came = usize::try_from(came).unwrap_or(0);
            for message in self.messages.iter().take(came) {
                if let Some(held) = NonNull::new(*message).map(Held) {
                    take(came_of(held.0.as_ptr()));
                }
            }
            came
        }
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        // SAFETY: the reference to the queue is ours; nothing rings after the callback was removed.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// # Safety
/// `bell` is the `Notify` that was registered with the callback, and lives.
unsafe extern "C" fn ring(_: *mut sys::rd_kafka_t, bell: *mut c_void) {
    unsafe { &*bell.cast::<Notify>() }.notify_one();
}

/// # Safety
/// `message` points to a message that outlives the result.
unsafe fn came_of<'a>(message: *mut sys::rd_kafka_message_t) -> Came<'a> {
    unsafe {
        let m = &*message;
        match RDKafkaErrorCode::from(m.err) {
            RDKafkaErrorCode::NoError => {}
            RDKafkaErrorCode::PartitionEOF => return Came::End(m.offset),
            code => return Came::Error { code, text: str_of(sys::rd_kafka_message_errstr(message)).into_owned() },
        }
        let mut kind = Kind::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        let timestamp = sys::rd_kafka_message_timestamp(message, &mut kind);
        Came::Record(Record {
            offset: m.offset,
            timestamp,
            by_broker: matches!(kind, Kind::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME),
            key: bytes_of(m.key, m.key_len),
            value: bytes_of(m.payload, m.len),
            headers: headers(message),
        })
    }
}

/// # Safety
/// `data` is null or has `len` bytes that outlive the result.
unsafe fn bytes_of<'a>(data: *const c_void, len: usize) -> Option<&'a [u8]> {
    (!data.is_null()).then(|| unsafe { slice::from_raw_parts(data.cast::<u8>(), len) })
}

/// # Safety
/// `message` points to a message that outlives the result.
unsafe fn headers<'a>(message: *const sys::rd_kafka_message_t) -> Vec<(Cow<'a, str>, Option<&'a [u8]>)> {
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
            all.push((str_of(name), bytes_of(value, len)));
        }
    }
    all
}
