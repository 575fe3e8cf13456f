package api

import (
	"embed"
	"net/http"

	"github.com/gin-gonic/gin"
)

// The documentation page is Swagger UI, vendored as it was published: docs/README.md
// says which version and how to renew it. Nothing is loaded from another host,
// and the page's own policy forbids it.
//
//go:embed docs
var docsFiles embed.FS

const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (a *API) serveDocs() {
	serve := func(path, file string) {
		a.engine.GET(path, func(c *gin.Context) {
			c.Header("Content-Security-Policy", docsPolicy)
			c.Header("Cache-Control", "public, max-age=3600")
			http.ServeFileFS(c.Writer, c.Request, docsFiles, "docs/"+file)
		})
	}
	serve("/docs", "index.html")
	for _, file := range []string{
		"start.js", "swagger-ui-bundle.js", "swagger-ui.css",
		"swagger-ui.LICENSE.txt", "swagger-ui.NOTICE.txt", "swagger-ui-bundle.js.LICENSE.txt",
	} {
		serve("/docs/"+file, file)
	}
}
