// Package watch notices changes of files that exgate reloads: [Files] follows the contents of a few files, [Folder] a
// folder.
//
// File notifications only say when to look; a change is what a look finds. So it notices a rename into place, a
// symbolic link with a new target (Kubernetes updates ConfigMaps like this) and a folder that is deleted and created
// again; without notifications it polls. The package imports internal/boundedfile only. Locks in order:
// watcherHub.control, watcherHub.mu; Files.mu is taken alone. Begin reading at files.go.
package watch
