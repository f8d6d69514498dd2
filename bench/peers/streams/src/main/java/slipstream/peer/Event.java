package slipstream.peer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * What the job needs of a request event: read straight from Avro's single-object encoding, the other fields are passed
 * over. Nothing is allocated but the event itself; after the last field that is needed reading ends.
 */
public record Event(int service, long slotSeconds, int status, double latency, int weight) {
    private static final long MARKER_BYTES = 2;

    /** A latency that was not measured. */
    public static boolean unknown(double latency) {
        return Double.isNaN(latency);
    }

    /** Reads events of the services that have SLOs; others become null, which Streams drops. */
    public static final class Reader implements Deserializer<Event> {
        @Override
        public Event deserialize(String topic, byte[] bytes) {
            return bytes == null ? null : read(bytes);
        }
    }

    static Event read(byte[] bytes) {
        Cursor in = new Cursor(bytes);
        in.skipString();
        long micros = in.number();
        int service = in.service();
        in.skipString();
        in.skipString();
        in.skipString();
        int status = (int) in.number();
        double latency = in.number() == 0 ? Double.NaN : in.real();
        int weight = (int) in.number();
        return service < 0 ? null : new Event(service, Math.floorDiv(micros, 1_000_000L), status, latency, weight);
    }

    /** A place in an encoded event. */
    static final class Cursor {
        private final byte[] bytes;
        private int at;

        Cursor(byte[] bytes) {
            if (bytes.length < 10 || bytes[0] != (byte) 0xC3 || bytes[1] != 1) {
                throw new SerializationException("no single-object encoding");
            }
            long fingerprint = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong((int) MARKER_BYTES);
            Schema.check(fingerprint);
            this.bytes = bytes;
            this.at = 10;
        }

        long number() {
            long raw = 0;
            for (int shift = 0; ; shift += 7) {
                byte next = bytes[at++];
                raw |= (long) (next & 0x7F) << shift;
                if (next >= 0) {
                    return (raw >>> 1) ^ -(raw & 1);
                }
            }
        }

        double real() {
            long bits = 0;
            for (int i = 0; i < 8; i++) {
                bits |= (bytes[at++] & 0xFFL) << (8 * i);
            }
            return Double.longBitsToDouble(bits);
        }

        void skipString() {
            int length = (int) number();
            at += length;
        }

        int service() {
            int length = (int) number();
            int found = Services.index(bytes, at, length);
            at += length;
            return found;
        }
    }

    /** The one schema that the topic holds: the first event says which. */
    private static final class Schema {
        private static volatile long known;

        static void check(long fingerprint) {
            if (fingerprint != known) {
                if (known != 0) {
                    throw new SerializationException("another schema: " + Long.toHexString(fingerprint));
                }
                known = fingerprint;
            }
        }
    }
}
