// Sends a signed request to Sluice: go run sign.go METHOD PATH [BODY [IDEMPOTENCY-KEY]]
//
// SLUICE_URL says where to; SIGNING_KEYID and SIGNING_KEY who signs (the id and key of POST /api/v1/keys, or builtin and
// API_SIGNATURE_SECRET).  docs/identity.md has the form.
package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// Sign adds the headers that sign this request; body is what will be sent.
func Sign(r *http.Request, keyid, key, body string) {
	scheme, authority := map[string]string{"http": ":80", "https": ":443"}, strings.ToLower(r.URL.Host)
	covered := [][2]string{
		{"@method", r.Method},
		{"@authority", strings.TrimSuffix(authority, scheme[r.URL.Scheme])},
		{"@path", r.URL.EscapedPath()},
		{"@query", "?" + r.URL.RawQuery},
	}
	if r.Method != "GET" && r.Method != "HEAD" {
		digest := sha256.Sum256([]byte(body))
		r.Header.Set("Content-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(digest[:])+":")
		covered = append(covered, [2]string{"content-digest", r.Header.Get("Content-Digest")})
		if once := r.Header.Get("Idempotency-Key"); once != "" {
			covered = append(covered, [2]string{"idempotency-key", once})
		}
	}
	nonce := make([]byte, 16)
	if _, err := rand.Read(nonce); err != nil {
		panic(err)
	}
	var names, lines []string
	for _, c := range covered {
		names = append(names, `"`+c[0]+`"`)
		lines = append(lines, `"`+c[0]+`": `+c[1])
	}
	params := fmt.Sprintf(`(%s);created=%d;nonce="%s";keyid="%s";alg="hmac-sha256"`,
		strings.Join(names, " "), time.Now().Unix(), hex.EncodeToString(nonce), keyid)
	lines = append(lines, `"@signature-params": `+params)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(strings.Join(lines, "\n")))
	r.Header.Set("Signature-Input", "sig1="+params)
	r.Header.Set("Signature", "sig1=:"+base64.StdEncoding.EncodeToString(mac.Sum(nil))+":")
}

func main() {
	words := append(os.Args[1:], "", "", "", "")
	method, path, body, once := words[0], words[1], words[2], words[3]
	r, err := http.NewRequest(method, os.Getenv("SLUICE_URL")+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if once != "" {
		r.Header.Set("Idempotency-Key", once)
	}
	Sign(r, os.Getenv("SIGNING_KEYID"), os.Getenv("SIGNING_KEY"), body)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode >= 300 {
		fmt.Fprintf(os.Stderr, "%d: %s", answer.StatusCode, text)
		os.Exit(1)
	}
	os.Stdout.Write(text)
}
