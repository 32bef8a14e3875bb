// Package backend keeps the processes that serve one handler connected, and gives each device connection one of them for life.
package backend
