// Publishes 100 request events as Avro: go run . BROKERS TOPIC SCHEMA
package main

import (
	"context"
	"crypto/rand"
	"log"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
)

type requestEvent struct {
	EventID     string            `avro:"event_id"`
	Time        time.Time         `avro:"time"`
	Service     string            `avro:"service"`
	Environment string            `avro:"environment"`
	Endpoint    string            `avro:"endpoint"`
	Method      string            `avro:"method"`
	StatusCode  int               `avro:"status_code"`
	LatencyMs   *float64          `avro:"latency_ms"`
	Weight      int               `avro:"weight"`
	TraceID     *string           `avro:"trace_id"`
	UserRef     *string           `avro:"user_ref"`
	Attributes  map[string]string `avro:"attributes"`
}

func main() {
	text, err := os.ReadFile(os.Args[3])
	check(err)
	schema, err := avro.Parse(string(text))
	check(err)
	// Idempotent with acks=all and murmur2 by default.
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Args[1], ",")...),
		kgo.DefaultProduceTopic(os.Args[2]),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.RecordDeliveryTimeout(time.Minute),
	)
	check(err)
	var failed atomic.Int32
	latency := 12.5
	for range 100 {
		id := rand.Text()
		value, err := schema.AppendSingleObject(nil, requestEvent{
			EventID: id, Time: time.Now(), Service: "shop", Endpoint: "/orders", Method: "POST",
			StatusCode: 201, LatencyMs: &latency, Weight: 1,
		})
		check(err)
		client.Produce(context.Background(), &kgo.Record{Key: []byte(id), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Add(1)
				log.Printf("%s was not delivered: %v", id, err)
			}
		})
	}
	check(client.Flush(context.Background()))
	client.Close()
	os.Exit(int(min(failed.Load(), 1)))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
