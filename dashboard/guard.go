package dashboard

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

// longestAddress bounds path and query; our own have some 200 bytes.
const longestAddress = 2048

// policy lets a page load our files and nothing else; no inline text runs.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard answers what is not to be answered and passes on the rest.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache") // ask again, with the ETag
		switch status, why := s.refuse(r); {
		case status == http.StatusMethodNotAllowed:
			h.Set("Allow", "GET, HEAD")
			fallthrough
		case status != 0:
			refusal(w, status, why)
		case s.token != "" && subtle.ConstantTimeCompare(digest(given(r)), digest(s.token)) != 1:
			refusal(w, http.StatusForbidden, "This server wants a token. Open the address that sobolev serve printed when it started.")
		case s.token != "" && r.URL.Query().Has("token"):
			s.admit(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// refuse returns a status and a reason for a request that no page of ours makes.
func (s *Server) refuse(r *http.Request) (status int, why string) {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return http.StatusMethodNotAllowed, "This server only shows: it answers GET and HEAD."
	case len(r.RequestURI) > longestAddress:
		return http.StatusRequestURITooLong, "The address is too long."
	case s.loopback && !isLoopbackHost(r.Host):
		// A name that an attacker's domain server points to this machine.
		return http.StatusForbidden, "This server answers as localhost and 127.0.0.1 alone."
	case !plainPath(r.URL):
		return http.StatusBadRequest, "The address is malformed."
	}
	return 0, ""
}

// isLoopbackHost judges a Host header. Its port may be another than ours: that of a
// tunnel.
func isLoopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// plainPath says whether a path means what it looks like: no separators, dots or
// percent signs in disguise, nothing unprintable, no segment that goes elsewhere.
func plainPath(u *url.URL) bool {
	escaped := strings.ToLower(u.EscapedPath())
	for _, disguise := range []string{"%2f", "%5c", "%2e", "%25", "%00"} {
		if strings.Contains(escaped, disguise) {
			return false
		}
	}
	if !strings.HasPrefix(u.Path, "/") || strings.Contains(u.Path, "//") ||
		strings.ContainsFunc(u.Path, func(c rune) bool { return c == '\\' || c == unicode.ReplacementChar || !unicode.IsPrint(c) }) {
		return false
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// given is the token of a request: from the printed address, from our cookie, or
// from a header, for programs.
func given(r *http.Request) string {
	if t := r.URL.Query().Get("token"); t != "" {
		return t
	}
	if scheme, t, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return t
	}
	if c, err := r.Cookie(cookieName(r)); err == nil {
		return c.Value
	}
	return ""
}

// cookieName has the port, since browsers share cookies between those of a host.
func cookieName(r *http.Request) string {
	_, port, _ := net.SplitHostPort(r.Host)
	return "sobolev-" + port
}

func digest(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

var admitPage = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={{.}}"><title>sobolev</title>
<p><a href="{{.}}">Go on</a></p></html>
`))

// admit turns the token of an address into a cookie and leads to the address
// without it. A redirect would not do: after a link from another site the browser
// would not send a strict cookie with it.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: cookieName(r), Value: s.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: 30 * 24 * 3600})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	admitPage.Execute(w, r.URL.EscapedPath())
}

// refusal is a plain page with one sentence.
func refusal(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintf(w, "%d %s\n%s\n", status, http.StatusText(status), why)
}
