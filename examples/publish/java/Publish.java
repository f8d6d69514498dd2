import java.io.File;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.avro.message.BinaryMessageEncoder;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteBufferSerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Publishes 100 request events as Avro: Publish BROKERS TOPIC SCHEMA. */
public class Publish {
    public static void main(String[] args) throws Exception {
        var schema = new Schema.Parser().parse(new File(args[2]));
        // Single-object encoding, header included.
        var encoder = new BinaryMessageEncoder<GenericRecord>(GenericData.get(), schema);
        // Idempotent with acks=all and murmur2 by default.
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", args[0], "compression.type", "lz4", "linger.ms", 20, "delivery.timeout.ms", 60_000);
        var failed = new AtomicInteger();
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new ByteBufferSerializer())) {
            for (int i = 0; i < 100; i++) {
                var id = UUID.randomUUID().toString();
                GenericRecord event = new GenericRecordBuilder(schema)
                    .set("event_id", id)
                    .set("time", ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now()))
                    .set("service", "shop")
                    .set("endpoint", "/orders")
                    .set("method", "POST")
                    .set("status_code", 201)
                    .set("latency_ms", 12.5)
                    .build();
                ByteBuffer value = encoder.encode(event);
                producer.send(new ProducerRecord<>(args[1], id, value), (metadata, error) -> {
                    if (error == null) return;
                    failed.incrementAndGet();
                    System.err.println(id + " was not delivered: " + error);
                });
            }
        } // close() waits for the last deliveries
        System.exit(failed.get() == 0 ? 0 : 1);
    }
}
