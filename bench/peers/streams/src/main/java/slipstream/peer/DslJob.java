package slipstream.peer;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerInterceptor;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.Stores;

/**
 * The job in the DSL: events by (service, slot), windows of a second of log time, sums in a cached in-memory store,
 * emitted at each commit.
 *
 * <p>Sums per input partition are enough, as in our tally. The DSL knows no grouping by another key without a topic
 * between, which would write every event once more; so the key is replaced where records are received ({@link Keys}).
 */
final class DslJob {
    private static final Duration TICK = Duration.ofSeconds(1);
    private static final Duration KEPT = Duration.ofSeconds(30);

    private DslJob() {}

    static Topology topology(String from, String to) {
        StreamsBuilder builder = new StreamsBuilder();
        Serde<Event> events = Serdes.serdeFrom((topic, event) -> null, new Event.Reader());
        builder.stream(from, Consumed.with(Serdes.Long(), events))
                .groupByKey(Grouped.with(Serdes.Long(), events))
                .windowedBy(TimeWindows.ofSizeAndGrace(TICK, KEPT.minus(TICK)))
                .aggregate(
                        Sums::new,
                        (key, event, sums) -> sums.add(event),
                        Materialized.<Long, Sums>as(Stores.inMemoryWindowStore("sums", KEPT, TICK, false))
                                .withKeySerde(Serdes.Long())
                                .withValueSerde(Sums.SERDE)
                                .withCachingEnabled())
                .toStream()
                .flatMap(DslJob::tallies)
                .to(to, Produced.with(Serdes.String(), Serdes.ByteArray()));
        return builder.build();
    }

    private static List<KeyValue<String, byte[]>> tallies(Windowed<Long> key, Sums sums) {
        List<KeyValue<String, byte[]>> both = new ArrayList<>(Sums.SLOS.length);
        String service = Services.name((int) (key.key() >>> 40));
        for (int slo = 0; slo < Sums.SLOS.length; slo++) {
            byte[] tally = sums.tally(slo, key.window().start() / 1000, key.key() & 0xFF_FFFF_FFFFL);
            both.add(KeyValue.pair(service + "-" + Sums.SLOS[slo], tally));
        }
        return both;
    }

    /** Gives each record the key (service, slot), taken from its value. */
    public static final class Keys implements ConsumerInterceptor<byte[], byte[]> {
        @Override
        public ConsumerRecords<byte[], byte[]> onConsume(ConsumerRecords<byte[], byte[]> records) {
            Map<TopicPartition, List<ConsumerRecord<byte[], byte[]>>> all = new HashMap<>();
            for (TopicPartition partition : records.partitions()) {
                List<ConsumerRecord<byte[], byte[]>> old = records.records(partition);
                List<ConsumerRecord<byte[], byte[]>> keyed = new ArrayList<>(old.size());
                for (ConsumerRecord<byte[], byte[]> record : old) {
                    keyed.add(keyed(record));
                }
                all.put(partition, keyed);
            }
            return new ConsumerRecords<>(all, records.nextOffsets());
        }

        private static ConsumerRecord<byte[], byte[]> keyed(ConsumerRecord<byte[], byte[]> r) {
            Event.Cursor in = new Event.Cursor(r.value());
            in.skipString();
            long slot = Math.min(Math.floorDiv(in.number(), 1_000_000L), r.timestamp() / 1000);
            // An event of a service without SLO is dropped by its null value.
            long key = (long) Math.max(in.service(), 0) << 40 | slot;
            byte[] bytes = ByteBuffer.allocate(Long.BYTES).putLong(key).array();
            return new ConsumerRecord<>(r.topic(), r.partition(), r.offset(), r.timestamp(), r.timestampType(), Long.BYTES,
                    r.serializedValueSize(), bytes, r.value(), r.headers(), r.leaderEpoch());
        }

        @Override
        public void onCommit(Map<TopicPartition, OffsetAndMetadata> offsets) {}

        @Override
        public void close() {}

        @Override
        public void configure(Map<String, ?> configs) {}
    }
}
