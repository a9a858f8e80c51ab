package dashboard

import (
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sobolev/internal/fuzztest"
)

// Every route answers, with its type, and under the policy.
func TestRoutes(t *testing.T) {
	folder := t.TempDir()
	c := experiment(t, "grid", "fashion-mnist-mini")
	d := makeRun(t, filepath.Join(folder, "grid"), c, 6)
	if err := d.WriteIndexes(); err != nil {
		t.Fatal(err)
	}
	writeText(t, filepath.Join(d.Path, "figures", "paper.svg"), "<svg/>")
	s, h := start(t, Options{}, folder)
	home := "/run/" + only(t, s).id + "/"
	get(t, h.URL+home+"data.json") // waits for the report
	point := url.PathEscape(c.Points()[0].Name())
	for _, route := range []struct{ path, kind, part string }{
		{"/", "text/html", "grid"},
		{home, "text/html", `id="live"`},
		{home + "data.json", "application/json", c.Points()[0].Name()},
		{home + "point/" + point, "text/html", "repetition 1"},
		{home + "point/" + url.PathEscape(c.Points()[6].Name()), "text/html", "out of memory &lt;script&gt;"},
		{home + "point/" + url.PathEscape(c.Points()[7].Name()), "text/html", `id="live"`},
		{home + "point/" + url.PathEscape(c.Points()[15].Name()), "text/html", "pending"},
		{home + "files/experiment.yaml", "text/plain", "name: grid"},
		{home + "files/results.csv", "text/csv", "learning_rate"},
		{home + "files/results.parquet", "application/octet-stream", "PAR1"},
		{home + "files/runtime.csv", "text/csv", "node1"},
		{home + "files/figures/paper.svg", "application/octet-stream", "<svg/>"},
		{home + "files/points/" + point + "/result.json", "application/json", "moments"},
		{home + "files/points/" + point + "/status.json", "application/json", "node1"},
		{home + "files/points/" + point + "/point.yaml", "text/plain", "learning_rate: 0.05"},
		{home + "files/points/" + point + "/history.parquet", "application/octet-stream", "PAR1"},
		{address("report.css"), "text/css", ":root"},
		{address("report.js"), "text/javascript", "use strict"},
		{address("live.css"), "text/css", ".live"},
		{address("live.js"), "text/javascript", "EventSource"},
	} {
		status, header, body := get(t, h.URL+route.path)
		if status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Type"), route.kind) {
			t.Errorf("%s: %d %s", route.path, status, header.Get("Content-Type"))
		}
		if !strings.Contains(body, route.part) {
			t.Errorf("%s does not contain %q: %.300s", route.path, route.part, body)
		}
		if header.Get("Content-Security-Policy") != policy || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", route.path, header)
		}
		if file := strings.Contains(route.path, "/files/"); file != strings.HasPrefix(header.Get("Content-Disposition"), "attachment") {
			t.Errorf("%s: Content-Disposition %q", route.path, header.Get("Content-Disposition"))
		}
		if inline := regexp.MustCompile(`<script>|<style|<[^>]* (style|on[a-z]+)=`).FindString(body); route.kind == "text/html" && inline != "" {
			t.Errorf("%s has %q inline", route.path, inline)
		}
		if etag := header.Get("ETag"); etag != "" {
			if status, _, body := get(t, h.URL+route.path, "If-None-Match", etag); status != http.StatusNotModified || body != "" {
				t.Errorf("%s with its ETag: %d, %d bytes", route.path, status, len(body))
			}
		} else if !strings.Contains(route.path, "/files/") {
			t.Errorf("%s has no ETag", route.path)
		}
		request, _ := http.NewRequest(http.MethodHead, h.URL+route.path, nil)
		if answer, err := http.DefaultClient.Do(request); err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("HEAD %s: %v %v", route.path, answer, err)
		}
	}
}

// A browser without JavaScript gets the figures as pictures.
func TestFiguresArePictures(t *testing.T) {
	folder := t.TempDir()
	makeRun(t, folder, experiment(t, "grid", "fashion-mnist-mini"), 9)
	s, h := start(t, Options{}, folder)
	home := h.URL + only(t, s).home()
	var page string
	eventually(t, "the report", func() bool {
		_, _, page = get(t, home)
		return strings.Contains(page, "<figure")
	})
	pictures := regexp.MustCompile(`<img src="(/run/[^"]*/figure/([^"]*)\.svg\?v=[0-9a-f]{12})" alt="[^"]+" loading="lazy" width="252" height="\d+"/>`).FindAllStringSubmatch(page, -1)
	if n := strings.Count(page, "<figure"); len(pictures) != n || n < 3 || strings.Contains(page, "<svg") {
		t.Fatalf("%d pictures of %d figures", len(pictures), n)
	}
	for _, p := range pictures {
		status, header, svg := get(t, h.URL+p[1])
		if status != http.StatusOK || header.Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(svg, "<svg ") || !strings.Contains(svg, `xmlns="http://www.w3.org/2000/svg"`) {
			t.Errorf("%s: %d %v %.80s", p[1], status, header, svg)
		}
	}
	for _, name := range []string{"none.svg", pictures[0][2], pictures[0][2] + ".png"} {
		if status, _, _ := get(t, home+"figure/"+name); status != http.StatusNotFound {
			t.Errorf("%s: %d", name, status)
		}
	}
}

// A hostile request is refused with a plain 4xx, and none reaches a file that is
// not offered.
func TestHostileRequests(t *testing.T) {
	const secret = "top-secret-text"
	folder := t.TempDir()
	c := experiment(t, "grid", "fashion-mnist-mini")
	d := makeRun(t, filepath.Join(folder, "grid"), c, 4)
	writeText(t, filepath.Join(folder, "secret.txt"), secret)
	writeText(t, filepath.Join(d.Path, "secret.txt"), secret)
	writeText(t, filepath.Join(d.Path, "figures", ".hidden.svg"), secret)
	name := c.Points()[0].Name()
	writeText(t, filepath.Join(d.Point(c.Points()[0]).Path, "notes.txt"), secret)
	for link, target := range map[string]string{
		filepath.Join(d.Path, "figures", "link.svg"): filepath.Join(folder, "secret.txt"),
		filepath.Join(d.Path, "report.html"):         "../secret.txt",
		filepath.Join(d.Path, "figures", "dir.svg"):  "..",
	} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	s, h := start(t, Options{}, folder)
	home := "/run/" + only(t, s).id
	files, host := home+"/files/", "Host: "+h.addr+"\r\n"
	long := strings.Repeat("a", 1<<20)
	for _, c := range []struct {
		what, line, head string
		status           int
	}{
		{"traversal", "GET " + files + "../secret.txt", host, 400},
		{"traversal from the root", "GET /../../../../etc/passwd", host, 400},
		{"encoded dots", "GET " + files + "%2e%2e/secret.txt", host, 400},
		{"encoded dots, capital", "GET " + files + "%2E%2E/secret.txt", host, 400},
		{"half encoded dots", "GET " + files + ".%2e/secret.txt", host, 400},
		{"encoded slashes", "GET " + files + "..%2f..%2fsecret.txt", host, 400},
		{"encoded slash in a name", "GET " + files + "points%2F" + name + "/result.json", host, 400},
		{"encoded twice", "GET " + files + "%252e%252e%252fsecret.txt", host, 400},
		{"encoded backslashes", "GET " + files + "..%5c..%5csecret.txt", host, 400},
		{"backslashes", `GET ` + files + `..\..\secret.txt`, host, 400},
		{"NUL", "GET " + files + "secret.txt%00.csv", host, 400},
		{"newline", "GET " + files + "secret.txt%0a", host, 400},
		{"broken encoding", "GET " + files + "%zz", host, 400},
		{"not UTF-8", "GET " + files + "%ff%fe", host, 400},
		{"overlong dots", "GET " + files + "%c0%ae%c0%ae/secret.txt", host, 400},
		{"two slashes", "GET " + home + "//files//secret.txt", host, 400},
		{"absolute path", "GET " + files + "/etc/passwd", host, 400},
		{"a file that is not offered", "GET " + files + "secret.txt", host, 404},
		{"a hidden file", "GET " + files + "figures/.hidden.svg", host, 404},
		{"the lock", "GET " + files + ".lock", host, 404},
		{"a file of a point that is not offered", "GET " + files + "points/" + name + "/notes.txt", host, 404},
		{"a link that leads out", "GET " + files + "figures/link.svg", host, 404},
		{"a link instead of the report", "GET " + files + "report.html", host, 404},
		{"a link to a folder", "GET " + files + "figures/dir.svg", host, 404},
		{"a folder", "GET " + files + "points", host, 404},
		{"a point that is none", "GET " + files + "points/other/result.json", host, 404},
		{"a page of none", "GET " + home + "/point/<script>alert(1)</script>", host, 404},
		{"a page of none, encoded", "GET " + home + "/point/%3Cscript%3Ealert(1)", host, 404},
		{"events of none", "GET " + home + "/point/none/events", host, 404},
		{"a run that is none", "GET /run/other/", host, 404},
		{"a static file that is none", "GET /static/doc.go", host, 404},
		{"a query of 1 MB", "GET /?q=" + long, host, 431},
		{"a query of 4 KB", "GET /?q=" + long[:4096], host, 414},
		{"a path of 4 KB", "GET /" + long[:4096], host, 414},
		{"a header of 1 MB", "GET /", host + "X-Long: " + long + "\r\n", 431},
		{"another host", "GET /", "Host: evil.example\r\n", 403},
		{"another host with our port", "GET /", "Host: evil.example:80\r\n", 403},
		{"a host that begins like ours", "GET /", "Host: 127.0.0.1.evil.example\r\n", 403},
		{"localhost of another domain", "GET /", "Host: localhost.evil.example\r\n", 403},
		{"no host", "GET /", "", 400},
		{"an address as target", "GET http://evil.example/", host, 403},
		{"post", "POST /", host + "Content-Length: 0\r\n", 405},
		{"post to a run", "POST " + home + "/", host + "Content-Length: 3\r\n", 405},
		{"put", "PUT " + files + "experiment.yaml", host + "Content-Length: 0\r\n", 405},
		{"delete", "DELETE " + files + "experiment.yaml", host, 405},
		{"options", "OPTIONS /", host, 405},
		{"options of the server", "OPTIONS *", host, 405},
		{"connect", "CONNECT evil.example:443", host, 405},
		{"trace", "TRACE /", host, 405},
		{"a method of its own", "STEAL /", host, 405},
	} {
		t.Run(c.what, func(t *testing.T) {
			status, answer := raw(t, h, c.line+" HTTP/1.1\r\n"+c.head+"Connection: close\r\n\r\n")
			if status != c.status {
				t.Errorf("status %d, want %d: %.300s", status, c.status, answer)
			}
			if strings.Contains(answer, secret) || strings.Contains(answer, "<script>alert") || strings.Contains(answer, "root:") {
				t.Errorf("the answer tells or runs something: %.500s", answer)
			}
		})
	}
	// The server is as well as before.
	if status, _, _ := get(t, h.URL+home+"/"); status != http.StatusOK {
		t.Errorf("afterwards: %d", status)
	}
}

// Hosts by which a reader comes, tunnels included, are welcome.
func TestOwnHosts(t *testing.T) {
	_, h := start(t, Options{}, t.TempDir())
	for _, host := range []string{"localhost", "localhost:9000", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8080", "127.8.9.1:1", "[::1]:8080", "[::1]"} {
		if status, answer := raw(t, h, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n"); status != http.StatusOK {
			t.Errorf("Host %s: %d %.200s", host, status, answer)
		}
	}
}

// With a token nothing is told without it; the printed address leads to a cookie
// that no script reads and no other site sends, and to an address without the token.
func TestToken(t *testing.T) {
	folder := t.TempDir()
	makeRun(t, filepath.Join(folder, "grid"), experiment(t, "grid", "fashion-mnist-mini"), 4)
	s, h := start(t, Options{Token: "correct-horse"}, folder)
	home := "/run/" + only(t, s).id + "/"
	_, port, _ := strings.Cut(h.addr, ":")
	for _, path := range []string{"/", home, home + "events", home + "data.json", home + "files/experiment.yaml", address("live.js"), "/nothing", "/favicon.ico"} {
		for what, header := range map[string][]string{
			"none": nil, "wrong cookie": {"Cookie", "sobolev-" + port + "=wrong"}, "cookie of another port": {"Cookie", "sobolev-1=correct-horse"},
			"wrong header": {"Authorization", "Bearer wrong"}, "part": {"Authorization", "Bearer correct-hors"}, "another scheme": {"Authorization", "Basic correct-horse"}, "empty": {"Authorization", "Bearer "},
		} {
			if status, _, body := get(t, h.URL+path, header...); status != http.StatusForbidden || strings.Contains(body, "grid") || strings.Contains(body, "correct") {
				t.Errorf("%s with %s: %d %.200s", path, what, status, body)
			}
		}
		if status, _, _ := get(t, h.URL+path+"?token=wrong"); status != http.StatusForbidden {
			t.Errorf("%s with the wrong token: %d", path, status)
		}
	}
	// A wrong token in the address does not fall back on a cookie, nor the other way round.
	status, header, body := get(t, h.URL+home+"?token=correct-horse")
	cookie := header.Get("Set-Cookie")
	if status != http.StatusOK || strings.Contains(body, "correct-horse") || !strings.Contains(body, `content="0;url=`+home+`"`) {
		t.Errorf("with the token: %d %s", status, body)
	}
	wantParts(t, cookie, "sobolev-"+port+"=", "HttpOnly", "SameSite=Strict", "Path=/")
	value, _, _ := strings.Cut(cookie, ";")
	for _, h2 := range [][]string{{"Cookie", value}, {"Authorization", "Bearer correct-horse"}, {"Authorization", "bearer correct-horse"}} {
		if status, _, body := get(t, h.URL+"/", h2...); status != http.StatusOK || !strings.Contains(body, "grid") {
			t.Errorf("with %v: %d %.200s", h2, status, body)
		}
	}
	// Other hosts are fine with a token: this machine has many names.
	if status, answer := raw(t, h, "GET / HTTP/1.1\r\nHost: workstation:"+port+"\r\nCookie: "+value+"\r\nConnection: close\r\n\r\n"); status != http.StatusOK {
		t.Errorf("by name: %d %.200s", status, answer)
	}
}

// What a configuration or an error says is shown, never run.
func TestHostileNames(t *testing.T) {
	const script = `<script>alert("x")</script><img src=x onerror=alert(1)>`
	folder := t.TempDir()
	c := experiment(t, "grid", `data`+script+`.npz`)
	makeRun(t, filepath.Join(folder, `folder<b>"'&`), c, 6)
	s, h := start(t, Options{}, folder)
	r := only(t, s)
	if !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(r.id) {
		t.Errorf("id %q", r.id)
	}
	get(t, h.URL+r.home()+"data.json")
	for _, path := range []string{"/", r.home(), r.home() + "point/" + url.PathEscape(c.Points()[0].Name()), r.home() + "point/" + url.PathEscape(c.Points()[6].Name())} {
		status, _, body := get(t, h.URL+path)
		if status != http.StatusOK {
			t.Errorf("%s: %d %.300s", path, status, body)
		}
		if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") || strings.Contains(body, "<b>") {
			t.Errorf("%s: a name is markup", path)
		}
		if path != "/" {
			wantParts(t, body, "&lt;script&gt;")
		} else {
			wantParts(t, body, "folder&lt;b&gt;")
		}
	}
	_, _, js := get(t, h.URL+r.home()+"data.json")
	if strings.Contains(js, "<script>") {
		t.Error("data.json has markup")
	}
}

// Downloads can be resumed, and a point's file says which point it is of.
func TestDownload(t *testing.T) {
	folder := t.TempDir()
	c := experiment(t, "grid", "fashion-mnist-mini")
	d := makeRun(t, folder, c, 4)
	p := d.Point(c.Points()[0])
	content := strings.Repeat("0123456789", 5000)
	writeText(t, p.File("model.safetensors"), content)
	s, h := start(t, Options{}, folder)
	address := h.URL + only(t, s).home() + "files/points/" + url.PathEscape(c.Points()[0].Name()) + "/model.safetensors"
	status, header, body := get(t, address)
	if status != http.StatusOK || sha256.Sum256([]byte(body)) != sha256.Sum256([]byte(content)) {
		t.Errorf("%d, %d bytes", status, len(body))
	}
	wantParts(t, header.Get("Content-Disposition"), "attachment", c.Points()[0].Name()+"-model.safetensors")
	if status, _, body := get(t, address, "Range", "bytes=5-14"); status != http.StatusPartialContent || body != content[5:15] {
		t.Errorf("a range: %d %q", status, body)
	}
}

// A damaged result is the problem of its run and its point alone, and the page says
// which file it is and what to do.
func TestDamagedResult(t *testing.T) {
	folder := t.TempDir()
	c := experiment(t, "bad", "fashion-mnist-mini")
	d := makeRun(t, filepath.Join(folder, "bad"), c, 4)
	good := makeRun(t, filepath.Join(folder, "good"), experiment(t, "good", "fashion-mnist-mini"), 4)
	damaged := d.Point(c.Points()[1])
	writeText(t, damaged.File("result.json"), `{"format": 1, "mod`)
	s, h := start(t, Options{}, folder)
	for _, r := range s.all() {
		<-r.first
	}
	bad := s.all()[0]
	eventually(t, "the error", func() bool { _, _, body := get(t, h.URL+bad.home()); return strings.Contains(body, "result.json") })
	_, _, body := get(t, h.URL+bad.home())
	wantParts(t, body, damaged.File("result.json"), "delete the file to have the point measured again")
	_, _, body = get(t, h.URL+bad.home()+"point/"+url.PathEscape(c.Points()[1].Name()))
	wantParts(t, body, "result.json", "delete the file")
	if state := bad.state(); state.Counts["damaged"] != 1 || state.Counts["finished"] != 3 {
		t.Errorf("counts %v", state.Counts)
	}
	if status, _, body := get(t, h.URL+bad.home()+"point/"+url.PathEscape(c.Points()[0].Name())); status != http.StatusOK || !strings.Contains(body, "Trained") {
		t.Errorf("another point: %d", status)
	}
	if status, _, js := get(t, h.URL+s.all()[1].home()+"data.json"); status != http.StatusOK || !strings.Contains(js, "learning_rate") {
		t.Errorf("another run, %s: %d", good.Path, status)
	}
	// Put right, it appears.
	if err := damaged.WriteResult(trained(c.Points()[1])); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the report", func() bool { status, _, _ := get(t, h.URL+bad.home()+"data.json"); return status == http.StatusOK })
}

// A link out of the run directory is not followed, wherever it stands.
func TestLinksOut(t *testing.T) {
	const secret = "top: secret"
	for _, link := range []string{"experiment.yaml", "points", "points/POINT", "points/POINT/point.yaml", "points/POINT/status.json", "points/POINT/result.json", "points/POINT/history.parquet"} {
		t.Run(link, func(t *testing.T) {
			folder := t.TempDir()
			c := experiment(t, "grid", "fashion-mnist-mini")
			d := makeRun(t, filepath.Join(folder, "grid"), c, 4)
			name := c.Points()[0].Name()
			path := filepath.Join(d.Path, strings.Replace(link, "POINT", name, 1))
			away := filepath.Join(t.TempDir(), "away", filepath.Base(path))
			if err := os.MkdirAll(filepath.Dir(away), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path, away); err != nil {
				t.Fatal(err)
			}
			if filepath.Ext(link) != "" {
				writeText(t, away, secret)
			}
			if err := os.Symlink(away, path); err != nil {
				t.Fatal(err)
			}
			const foreign = "name-of-elsewhere"
			if link == "points" {
				writeText(t, filepath.Join(away, foreign, "notes.txt"), secret)
			}
			s, h := start(t, Options{}, folder)
			r := only(t, s)
			home := r.home()
			for _, path := range []string{"", "data.json", "point/" + foreign, "point/" + url.PathEscape(name), "files/experiment.yaml", "files/points/" + url.PathEscape(name) + "/result.json",
				"files/points/" + url.PathEscape(name) + "/history.parquet", "files/points/" + url.PathEscape(name) + "/status.json", "files/points/" + url.PathEscape(name) + "/point.yaml"} {
				status, _, body := get(t, h.URL+home+path)
				outside := strings.HasPrefix(link, "points") && strings.HasPrefix(path, "files/points/") || link == path || strings.Contains(path, foreign)
				if strings.Contains(body, "secret") || strings.Contains(body, foreign) || outside && status == http.StatusOK {
					t.Errorf("%s: %d %.300s", path, status, body)
				}
			}
			eventually(t, "a reason", func() bool { _, _, body := get(t, h.URL+home); return strings.Contains(body, "cannot be made") })
			if link == "experiment.yaml" || link == "points" {
				_, _, body := get(t, h.URL+"/")
				wantParts(t, body, path+" is a link that leads out of the run directory", "put there what it leads to")
			}
		})
	}
}

// However a path is written, it leads to one of ours or nowhere.
func FuzzPath(f *testing.F) {
	const secret = "top-secret-text"
	folder := f.TempDir()
	c := experiment(f, "grid", "fashion-mnist-mini")
	d := makeRun(f, filepath.Join(folder, "grid"), c, 2)
	writeText(f, filepath.Join(folder, "secret.txt"), secret)
	writeText(f, filepath.Join(d.Path, "secret.txt"), secret)
	if err := os.Symlink(folder, filepath.Join(d.Path, "figures")); err != nil {
		f.Fatal(err)
	}
	s, _ := start(f, Options{}, folder)
	r := only(f, s)
	for _, seed := range []string{"experiment.yaml", "../secret.txt", "figures/secret.txt", "figures/secret.svg", "points/" + c.Points()[0].Name() + "/result.json", "points/../secret.txt", "..%2fsecret.txt", "", ".", "/etc/passwd", "points//"} {
		f.Add(seed)
	}
	allowed := map[string]bool{}
	for _, name := range runFiles {
		allowed[name] = true
	}
	for _, p := range c.Points()[:4] {
		for _, name := range pointFiles {
			allowed["points/"+p.Name()+"/"+name] = true
		}
	}
	fuzztest.Run(f, func(t *testing.T, name string) {
		file, err := r.openFile(name)
		if err == nil {
			file.Close()
			if !allowed[name] {
				t.Errorf("%q was opened", name)
			}
		}
		w := httptest.NewRecorder()
		u, err := url.Parse("http://localhost" + r.home() + "files/" + name)
		if err != nil {
			return
		}
		s.ServeHTTP(w, &http.Request{Method: http.MethodGet, URL: u, Host: "localhost", RequestURI: u.RequestURI(), Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1})
		if strings.Contains(w.Body.String(), secret) || w.Code >= 500 {
			t.Errorf("%q: %d %.200s", name, w.Code, w.Body)
		}
		if w.Code == http.StatusOK && !plainPath(u) {
			t.Errorf("%q was served", name)
		}
	})
}
