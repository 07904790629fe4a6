package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed web
var web embed.FS

// assets are the files of the page, each with a tag of its content.
var assets = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, path.Join("web", r.URL.Path)) })

// index is the page, whatever its path: the page itself knows what to show there.
func index(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		writeError(w, http.StatusMethodNotAllowed, "MethodNotAllowed", r.URL.Path+" is a page: it can be read")
		return
	}
	serveFile(w, r, "web/index.html")
}

func serveFile(w http.ResponseWriter, r *http.Request, name string) {
	text, err := fs.ReadFile(web, name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	sum := sha256.Sum256(text)
	w.Header().Set("Cache-Control", "no-cache") // kept, and asked for whether it changed
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	http.ServeContent(w, r, path.Base(name), time.Time{}, bytes.NewReader(text))
}
