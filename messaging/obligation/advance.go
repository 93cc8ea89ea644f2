package obligation

import "errors"

// Advance tells what one accepted event does to duties, given what the events
// before it left. It changes nothing; the caller records the answer. A message
// whose acts are not admissible is an *ActError; other errors are the book's or
// a broken pack's.
func Advance(book Book, world World, ev Event) (Changes, error) {
	return Changes{}, errors.New("obligation: not yet")
}
