// Shows openapi.json in place of the plain list of operations, where the renderer (swagger-ui-dist) stands before this.
if (window.SwaggerUIBundle) {
    SwaggerUIBundle({
        url: "/api/openapi.json",
        dom_id: "#operations",
        docExpansion: "none", // 128 operations: by tag, to be opened
        defaultModelsExpandDepth: 0,
        defaultModelRendering: "example",
        displayOperationId: true,
        showExtensions: true, // x-scope
        filter: true,
        deepLinking: true,
        validatorUrl: null,
    });
}
