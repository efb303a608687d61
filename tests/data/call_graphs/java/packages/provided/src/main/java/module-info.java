module app {
    provides app.Service with app.ServiceImpl;
}
