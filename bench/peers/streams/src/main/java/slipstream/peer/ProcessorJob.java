package slipstream.peer;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The job in the Processor API: a cell per (service, tick, slot) in a cached in-memory store, one look-up and one write
 * an event, all cells emitted and removed every 200 ms. The store has a changelog: a plain map would lose what was
 * committed but not emitted, because no processor is told of a commit.
 */
final class ProcessorJob {
    private static final String STORE = "sums";
    private static final Duration EVERY = Duration.ofMillis(200);
    private static final long LATEST = 0xFF_FFFFL;

    private ProcessorJob() {}

    static Topology topology(String from, String to) {
        return new Topology()
                .addSource("events", new ByteArrayDeserializer(), new Event.Reader(), from)
                .addProcessor("tally", new Supplier(), "events")
                .addSink("tallies", to, new StringSerializer(), new ByteArraySerializer(), "tally");
    }

    private static final class Supplier implements ProcessorSupplier<byte[], Event, String, byte[]> {
        @Override
        public Processor<byte[], Event, String, byte[]> get() {
            return new Tally();
        }

        @Override
        public Set<StoreBuilder<?>> stores() {
            return Set.of(Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(STORE), Serdes.Long(), Sums.SERDE)
                    .withCachingEnabled());
        }
    }

    private static final class Tally implements Processor<byte[], Event, String, byte[]> {
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<Long, Sums> cells;

        @Override
        public void init(ProcessorContext<String, byte[]> context) {
            this.context = context;
            this.cells = context.getStateStore(STORE);
            context.schedule(EVERY, PunctuationType.WALL_CLOCK_TIME, now -> emit());
        }

        @Override
        public void process(Record<byte[], Event> record) {
            Event event = record.value();
            if (event == null) {
                return;
            }
            long tick = record.timestamp() / 1000;
            long behind = Math.min(Math.max(tick - event.slotSeconds(), 0), LATEST);
            long key = (long) event.service() << 56 | tick << 24 | behind;
            Sums sums = cells.get(key);
            cells.put(key, (sums == null ? new Sums() : sums).add(event));
        }

        private void emit() {
            List<Long> done = new ArrayList<>();
            try (KeyValueIterator<Long, Sums> all = cells.all()) {
                while (all.hasNext()) {
                    KeyValue<Long, Sums> cell = all.next();
                    long key = cell.key;
                    long tick = key >>> 24 & 0xFFFF_FFFFL;
                    String service = Services.name((int) (key >>> 56));
                    for (int slo = 0; slo < Sums.SLOS.length; slo++) {
                        byte[] tally = cell.value.tally(slo, tick, tick - (key & LATEST));
                        context.forward(new Record<>(service + "-" + Sums.SLOS[slo], tally, tick * 1000));
                    }
                    done.add(key);
                }
            }
            done.forEach(cells::delete);
        }
    }
}
