package slipstream.peer;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** Weights of a service's two SLOs in a tick and slot: answered (status below 500) and quick (at most 300 ms). */
final class Sums {
    private static final int BYTES = 5 * Long.BYTES;
    static final Serde<Sums> SERDE = Serdes.serdeFrom((topic, sums) -> write(sums), (topic, bytes) -> read(bytes));
    static final String[] SLOS = {"availability", "latency"};

    private long answered;
    private long total;
    private long quick;
    private long measured;
    private long unmeasured;

    Sums add(Event event) {
        int weight = event.weight();
        total += weight;
        if (event.status() < 500) {
            answered += weight;
        }
        if (Event.unknown(event.latency())) {
            unmeasured += weight;
        } else {
            measured += weight;
            if (event.latency() <= 300) {
                quick += weight;
            }
        }
        return this;
    }

    /** Tick, slot, good, total, unknown of one of the two SLOs. */
    byte[] tally(int slo, long tick, long slot) {
        ByteBuffer out = ByteBuffer.allocate(5 * Long.BYTES).putLong(tick).putLong(slot);
        return (slo == 0
                        ? out.putLong(answered).putLong(total).putLong(0)
                        : out.putLong(quick).putLong(measured).putLong(unmeasured))
                .array();
    }

    private static byte[] write(Sums sums) {
        if (sums == null) {
            return null;
        }
        ByteBuffer out = ByteBuffer.allocate(BYTES).putLong(sums.answered).putLong(sums.total);
        return out.putLong(sums.quick).putLong(sums.measured).putLong(sums.unmeasured).array();
    }

    private static Sums read(byte[] bytes) {
        if (bytes == null) {
            return null;
        }
        ByteBuffer in = ByteBuffer.wrap(bytes);
        Sums sums = new Sums();
        sums.answered = in.getLong();
        sums.total = in.getLong();
        sums.quick = in.getLong();
        sums.measured = in.getLong();
        sums.unmeasured = in.getLong();
        return sums;
    }
}
