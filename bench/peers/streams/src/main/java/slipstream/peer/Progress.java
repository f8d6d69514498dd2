package slipstream.peer;

import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** How far the job has committed, asked of the broker, and what the process has used when it is done. */
final class Progress implements AutoCloseable {
    private static final long LOOK_EVERY_MS = 20;
    private static final long LONGEST_MS = 900_000;
    private static final double TICKS_A_SECOND = 100;

    private final Admin admin;
    private final String group;
    private final long events;

    Progress(String brokers, String topic, String group) throws Exception {
        this.admin = Admin.create(Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, (Object) brokers));
        this.group = group;
        var described = admin.describeTopics(java.util.List.of(topic)).allTopicNames().get().get(topic);
        var ends = admin.listOffsets(described.partitions().stream()
                .map(p -> new TopicPartition(topic, p.partition()))
                .collect(Collectors.toMap(Function.identity(), p -> OffsetSpec.latest())));
        this.events = ends.all().get().values().stream().mapToLong(end -> end.offset()).sum();
    }

    /** Waits until everything is committed. */
    String follow() throws Exception {
        long began = ManagementFactory.getRuntimeMXBean().getStartTime();
        long[] first = null;
        long[] half = null;
        long done = 0;
        while (done < events) {
            Thread.sleep(LOOK_EVERY_MS);
            done = committed();
            long now = System.currentTimeMillis();
            if (first == null && done > 0) {
                first = new long[] {now, done};
            }
            if (half == null && done >= events / 2) {
                half = new long[] {now, done};
            }
            if (now - began > LONGEST_MS) {
                throw new IllegalStateException(done + " of " + events + " events were committed in time");
            }
        }
        long end = System.currentTimeMillis();
        String stat = Files.readString(Path.of("/proc/self/stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        double cpu = (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / TICKS_A_SECOND;
        String peak = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmHWM:"))
                .findFirst()
                .orElseThrow();
        long bytes = Long.parseLong(peak.replaceAll("[^0-9]", "")) << 10;
        return String.format(
                java.util.Locale.ROOT,
                "events=%d took=%.3f flow=%.3f flowed=%d warm=%.3f warmed=%d cpu=%.2f peak=%d",
                events, (end - began) / 1e3, (end - first[0]) / 1e3, events - first[1], (end - half[0]) / 1e3,
                events - half[1], cpu, bytes);
    }

    private long committed() throws Exception {
        Map<TopicPartition, OffsetAndMetadata> offsets =
                admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        return offsets.values().stream().filter(o -> o != null).mapToLong(OffsetAndMetadata::offset).sum();
    }

    @Override
    public void close() {
        admin.close();
    }
}
