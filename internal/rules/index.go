package rules

// packIndex is filled by Parse.
type packIndex struct{}
