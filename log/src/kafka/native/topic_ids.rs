//! Ids of topics, which the crate does not expose: they distinguish a topic from another one of the same name, created
//! after it was deleted.

use std::ffi::CString;
use std::os::raw::c_char;
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;

use super::{Held, str_of};
use crate::kafka::client::Reader;
use crate::place::TopicId;

/// A topic's id, or why it is not known. `None` if the broker is too old to have topic ids.
pub(in crate::kafka) type Found = Result<Option<TopicId>, RDKafkaErrorCode>;

/// What is allocated for one call, and freed with it.
struct Asked {
    queue: NonNull<sys::rd_kafka_queue_t>,
    options: NonNull<sys::rd_kafka_AdminOptions_t>,
    topics: NonNull<sys::rd_kafka_TopicCollection_t>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        // SAFETY: all three are ours, and the call that had them is over: librdkafka keeps none of them.
        unsafe {
            sys::rd_kafka_TopicCollection_destroy(self.topics.as_ptr());
            sys::rd_kafka_AdminOptions_destroy(self.options.as_ptr());
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// Looks up the ids of topics, by name. Blocks.
///
/// # Errors
/// When there is no response within `patience`.
pub(in crate::kafka) fn topic_ids(
    consumer: &Reader,
    names: &[&str],
    patience: Duration,
) -> Result<Vec<(String, Found)>, RDKafkaErrorCode> {
    let names: Vec<CString> = names.iter().filter_map(|name| CString::new(*name).ok()).collect();
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let wait_ms = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
    let client = consumer.client().native_ptr();
    // SAFETY: the client lives while `consumer` is borrowed, the names while the collection copies them, the event until its
    // `Held` is dropped; nothing of it is kept.
    unsafe {
        let asked = Asked {
            queue: NonNull::new(sys::rd_kafka_queue_new(client)).ok_or(RDKafkaErrorCode::Fail)?,
            options: NonNull::new(sys::rd_kafka_AdminOptions_new(
                client,
                sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
            ))
            .ok_or(RDKafkaErrorCode::Fail)?,
            topics: NonNull::new(sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len()))
                .ok_or(RDKafkaErrorCode::Fail)?,
        };
        sys::rd_kafka_AdminOptions_set_request_timeout(asked.options.as_ptr(), wait_ms, ptr::null_mut(), 0);
        sys::rd_kafka_DescribeTopics(client, asked.topics.as_ptr(), asked.options.as_ptr(), asked.queue.as_ptr());
        let event = sys::rd_kafka_queue_poll(asked.queue.as_ptr(), wait_ms.saturating_add(1_000));
        let event = NonNull::new(event).map(Held).ok_or(RDKafkaErrorCode::OperationTimedOut)?;
        found(event.0.as_ptr())
    }
}

/// # Safety
/// `event` is an event that outlives the call.
unsafe fn found(event: *mut sys::rd_kafka_event_t) -> Result<Vec<(String, Found)>, RDKafkaErrorCode> {
    unsafe {
        match RDKafkaErrorCode::from(sys::rd_kafka_event_error(event)) {
            RDKafkaErrorCode::NoError => {}
            code => return Err(code),
        }
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Err(RDKafkaErrorCode::Fail);
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        let topics = if topics.is_null() { &[][..] } else { slice::from_raw_parts(topics, count) };
        let one = |topic: &*const sys::rd_kafka_TopicDescription_t| {
            let name = str_of(sys::rd_kafka_TopicDescription_name(*topic)).into_owned();
            (name, id_of(*topic))
        };
        Ok(topics.iter().map(one).collect())
    }
}

/// # Safety
/// `topic` is a description that outlives the call.
unsafe fn id_of(topic: *const sys::rd_kafka_TopicDescription_t) -> Found {
    unsafe {
        let error = sys::rd_kafka_TopicDescription_error(topic);
        if !error.is_null() {
            match RDKafkaErrorCode::from(sys::rd_kafka_error_code(error)) {
                RDKafkaErrorCode::NoError => {}
                code => return Err(code),
            }
        }
        let id = sys::rd_kafka_TopicDescription_topic_id(topic);
        if id.is_null() {
            return Ok(None);
        }
        let (most, least) =
            (sys::rd_kafka_Uuid_most_significant_bits(id), sys::rd_kafka_Uuid_least_significant_bits(id));
        Ok(((most, least) != (0, 0)).then(|| TopicId::of_base64(&str_of(sys::rd_kafka_Uuid_base64str(id)))))
    }
}
