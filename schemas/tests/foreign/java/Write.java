import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.message.BinaryMessageEncoder;

/** The events in single-object encoding, by Avro's Java library: library, version, event, hex. */
public class Write {
    public static void main(String[] arguments) throws Exception {
        Schema schema = new Schema.Parser().parse(new File(arguments[0]));
        var encoder = new BinaryMessageEncoder<GenericRecord>(GenericData.get(), schema);
        int number = 0;
        for (JsonNode event : new ObjectMapper().readTree(new File(arguments[1]))) {
            var record = new GenericData.Record(schema);
            for (Schema.Field field : schema.getFields()) {
                record.put(field.pos(), native_(field.name(), event.get(field.name())));
            }
            var bytes = encoder.encode(record);
            var message = new byte[bytes.remaining()];
            bytes.get(message);
            var version = Schema.class.getPackage().getImplementationVersion();
            System.out.println(String.join("\t", "org.apache.avro (Java)", version, "" + number, HexFormat.of().formatHex(message)));
            number++;
        }
    }

    static Object native_(String field, JsonNode value) {
        if (value.isObject()) {
            Map<String, String> map = new HashMap<>();
            value.properties().forEach(entry -> map.put(entry.getKey(), entry.getValue().asText()));
            return map;
        }
        if (value.isTextual()) return value.asText();
        if (value.isNull()) return null;
        if (field.equals("time")) return value.asLong();
        return value.isDouble() ? (Object) value.asDouble() : (Object) value.asInt();
    }
}
