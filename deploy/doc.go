// Package deploy holds what an exchange is put up with: units for systemd, a
// compose file, policies for Vault, roles and settings for PostgreSQL, scripts that
// apply them. Its tests run all of it against the real programs, so that a renamed
// flag, a policy that grants too much or a unit that lost its sandbox is noticed.
//
// There is no code here.
package deploy
