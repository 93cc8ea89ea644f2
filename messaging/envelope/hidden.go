package envelope

// hidden keeps a secret where neither package fmt nor encoding/json looks: in a
// closure. A pointer is not enough, the verb %s follows it.
type hidden[T any] func() T

func hide[T any](secret T) hidden[T] { return func() T { return secret } }
