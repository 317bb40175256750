package trace

import (
	"context"
	"reflect"
	"testing"
)

func TestFacts(t *testing.T) {
	ctx, facts := WithFacts(context.Background())
	Tell(ctx, "realm", "%s", "https://a.test")
	Tell(ctx, "exchange", "POST")
	Tell(ctx, "realm", "https://b.test")
	if want := []Fact{{"realm", "https://b.test"}, {"exchange", "POST"}}; !reflect.DeepEqual(facts.List(), want) {
		t.Errorf("facts %v, want %v", facts.List(), want)
	}
}

// TestTellWithoutListener holds that what nobody listens to is not put into words.
func TestTellWithoutListener(t *testing.T) {
	Tell(context.Background(), "x", "%s", unspeakable{})
}

type unspeakable struct{}

func (unspeakable) String() string { panic("put into words") }
