// Package watch notices when files change that exgate reads again: [Files] follows the content of a few files, [Folder]
// a folder.
//
// The system's notifications only say when to look; what counts is what a look finds. So a rename into place, a
// symbolic link that leads elsewhere (as ConfigMaps of Kubernetes are updated) and a folder that is deleted and made
// again are all noticed, where there are no notifications by polling.
package watch
