package slipstream.peer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** The services that have SLOs, found by the bytes of their names without making a string. */
final class Services {
    static final int COUNT = 20;
    private static final byte[][] NAMES = new byte[COUNT][];
    private static final int[] BY_HASH = new int[256];

    static {
        Arrays.fill(BY_HASH, -1);
        for (int i = 0; i < COUNT; i++) {
            NAMES[i] = String.format("service-%02d", i).getBytes(StandardCharsets.UTF_8);
            int place = hash(NAMES[i], 0, NAMES[i].length);
            while (BY_HASH[place] >= 0) {
                place = (place + 1) & 255;
            }
            BY_HASH[place] = i;
        }
    }

    private Services() {}

    static String name(int service) {
        return new String(NAMES[service], StandardCharsets.UTF_8);
    }

    /** Index of a service; -1: it has no SLO. */
    static int index(byte[] bytes, int from, int length) {
        for (int place = hash(bytes, from, length); BY_HASH[place] >= 0; place = (place + 1) & 255) {
            byte[] name = NAMES[BY_HASH[place]];
            if (Arrays.equals(name, 0, name.length, bytes, from, from + length)) {
                return BY_HASH[place];
            }
        }
        return -1;
    }

    private static int hash(byte[] bytes, int from, int length) {
        int hash = length;
        for (int i = from; i < from + length; i++) {
            hash = hash * 31 + bytes[i];
        }
        return (hash ^ (hash >>> 8)) & 255;
    }
}
