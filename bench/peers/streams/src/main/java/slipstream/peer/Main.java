package slipstream.peer;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;

/**
 * What tally does with 40 SLOs, in Kafka Streams: exactly once, sums per SLO, tick and slot. It drops no redelivery,
 * knows no definitions but its own and keeps no horizon. Usage: Main BROKERS TOPIC OUT dsl|processor. It ends when all
 * that the topic held at the start is committed and prints what that took.
 */
public final class Main {
    private static final int THREADS = 2;

    private Main() {}

    public static void main(String[] arguments) throws Exception {
        String brokers = arguments[0];
        String from = arguments[1];
        String to = arguments[2];
        boolean dsl = arguments[3].equals("dsl");
        String application = to + "-" + arguments[3];
        Path state = Files.createTempDirectory("streams-peer");
        Topology topology = dsl ? DslJob.topology(from, to) : ProcessorJob.topology(from, to);
        try (Progress progress = new Progress(brokers, from, application);
                KafkaStreams streams = new KafkaStreams(topology, settings(brokers, application, state, dsl))) {
            streams.setUncaughtExceptionHandler(error -> {
                error.printStackTrace();
                Runtime.getRuntime().halt(1);
                return null;
            });
            streams.start();
            System.out.println(progress.follow());
            System.out.flush();
            if (streams.close(Duration.ofMinutes(1))) {
                streams.cleanUp();
            }
        }
    }

    private static Properties settings(String brokers, String application, Path state, boolean dsl) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, THREADS);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 200);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L << 20);
        settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10_000);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, state.toString());
        settings.put(StreamsConfig.ENABLE_METRICS_PUSH_CONFIG, false);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.RETRY_BACKOFF_MS_CONFIG), 5);
        if (dsl) {
            String interceptors = StreamsConfig.mainConsumerPrefix(ConsumerConfig.INTERCEPTOR_CLASSES_CONFIG);
            settings.put(interceptors, DslJob.Keys.class.getName());
        }
        return settings;
    }
}
